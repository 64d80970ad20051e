// Runs Lua scripts on JSON, in the virtual machine and with the libraries that Karmada gives its resource interpreter.
module aicity.io/test/region/lua

go 1.26.4

require (
	github.com/yuin/gopher-lua v1.1.2
	layeh.com/gopher-json v0.0.0-20190114024228-97fed8db8427
)
