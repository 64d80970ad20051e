module aicity.io/test/region/runc-within-limits

go 1.26
