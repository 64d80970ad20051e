// Command lua calls one function of a Lua script with JSON arguments and prints its results as a JSON list. The script
// has what Karmada's resource interpreter gives it (pkg/resourceinterpreter/customized/declarative/luavm): the base,
// table, string and math libraries, and no way to reach files, other code or raw tables.
//
// Input on standard input: {"script": "…", "function": "GetReplicas", "results": 2, "arguments": [{…}]}
package main

import (
	"encoding/json"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

type call struct {
	Script    string            `json:"script"`
	Function  string            `json:"function"`
	Results   int               `json:"results"`
	Arguments []json.RawMessage `json:"arguments"`
}

var forbidden = []string{
	"collectgarbage", "dofile", "getfenv", "getmetatable", "load", "loadfile", "loadstring", "module", "newproxy",
	"rawequal", "rawget", "rawset", "setfenv", "setmetatable",
}

func main() {
	var wanted call
	if err := json.NewDecoder(os.Stdin).Decode(&wanted); err != nil {
		fail(fmt.Errorf("the call cannot be read: %w", err))
	}
	results, err := run(wanted)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fail(err)
	}
}

func run(wanted call) ([]json.RawMessage, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName:   lua.OpenBase,
		lua.TabLibName:    lua.OpenTable,
		lua.StringLibName: lua.OpenString,
		lua.MathLibName:   lua.OpenMath,
	} {
		protected := lua.P{Fn: state.NewFunction(open), Protect: true}
		if err := state.CallByParam(protected, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	for _, name := range forbidden {
		state.SetGlobal(name, lua.LNil)
	}
	if err := state.DoString(wanted.Script); err != nil {
		return nil, err
	}
	arguments := make([]lua.LValue, len(wanted.Arguments))
	for at, argument := range wanted.Arguments {
		value, err := luajson.Decode(state, argument)
		if err != nil {
			return nil, err
		}
		arguments[at] = value
	}
	state.SetTop(0)
	function := lua.P{Fn: state.GetGlobal(wanted.Function), NRet: wanted.Results, Protect: true}
	if err := state.CallByParam(function, arguments...); err != nil {
		return nil, err
	}
	results := make([]json.RawMessage, wanted.Results)
	for at := range results {
		encoded, err := luajson.Encode(state.Get(at + 1))
		if err != nil {
			return nil, err
		}
		results[at] = encoded
	}
	return results, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
