// Command runc-within-limits is the container engine's runtime on machines whose root lacks
// CAP_SYS_RESOURCE. There, runc refuses privileged containers (it cannot grant the capability), resource
// limits above the machine's own, and out-of-memory scores below its own. This wrapper takes those three
// out of the container's configuration and hands over to runc.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	arguments := os.Args[1:]
	if err := fit(arguments); err != nil {
		fmt.Fprintln(os.Stderr, "runc-within-limits:", err)
		os.Exit(1)
	}
	runc, err := exec.LookPath("runc")
	if err == nil {
		err = syscall.Exec(runc, append([]string{"runc"}, arguments...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, "runc-within-limits:", err)
	os.Exit(1)
}

// fit edits the file that this call of runc will read: a bundle's config.json or an exec's process.json.
func fit(arguments []string) error {
	if slices.Contains(arguments, "create") || slices.Contains(arguments, "run") {
		if bundle := option(arguments, "--bundle", "-b"); bundle != "" {
			return edit(filepath.Join(bundle, "config.json"), func(config map[string]any) {
				if process, ok := config["process"].(map[string]any); ok {
					fitProcess(process)
				}
			})
		}
	}
	if slices.Contains(arguments, "exec") {
		if process := option(arguments, "--process", "-p"); process != "" {
			return edit(process, fitProcess)
		}
	}
	return nil
}

func option(arguments []string, names ...string) string {
	for i, argument := range arguments {
		for _, name := range names {
			if argument == name && i+1 < len(arguments) {
				return arguments[i+1]
			}
			if value, found := strings.CutPrefix(argument, name+"="); found {
				return value
			}
		}
	}
	return ""
}

func edit(path string, change func(map[string]any)) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber() // limits are 64-bit integers, which a float would round
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	change(document)
	content, err = json.Marshal(document)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func fitProcess(process map[string]any) {
	if sets, ok := process["capabilities"].(map[string]any); ok {
		for name, set := range sets {
			if capabilities, ok := set.([]any); ok {
				sets[name] = slices.DeleteFunc(capabilities, func(c any) bool { return c == "CAP_SYS_RESOURCE" })
			}
		}
	}
	if limits, ok := process["rlimits"].([]any); ok {
		for _, limit := range limits {
			if l, ok := limit.(map[string]any); ok {
				fitLimit(l)
			}
		}
	}
	if wanted, ok := process["oomScoreAdj"].(json.Number); ok {
		if score, err := wanted.Int64(); err == nil && score < ownOOMScore() {
			process["oomScoreAdj"] = ownOOMScore()
		}
	}
}

var resources = map[string]int{
	"RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4, "RLIMIT_RSS": 5,
	"RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10,
	"RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
}

func fitLimit(limit map[string]any) {
	kind, _ := limit["type"].(string)
	resource, known := resources[kind]
	var own syscall.Rlimit
	if !known || syscall.Getrlimit(resource, &own) != nil {
		return
	}
	for _, bound := range []string{"hard", "soft"} {
		number, _ := limit[bound].(json.Number)
		if wanted, err := strconv.ParseUint(number.String(), 10, 64); err == nil && wanted > own.Max {
			limit[bound] = own.Max
		}
	}
}

func ownOOMScore() int64 {
	content, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	score, _ := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	return score
}
