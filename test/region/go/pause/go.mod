module aicity.io/test/region/pause

go 1.26
