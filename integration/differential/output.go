package differential

import (
	"encoding/json"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Event is one report of the default output.
type Event struct {
	Banner string          `json:"banner"` // PLAY [x], TASK [y], RUNNING HANDLER [z]
	Status string          `json:"status,omitempty"`
	Host   string          `json:"host,omitempty"`
	Item   string          `json:"item,omitempty"`
	Result json.RawMessage `json:"result,omitempty"` // what was shown, without what no two runs share
	Diff   string          `json:"diff,omitempty"`
}

var (
	bannerLine  = regexp.MustCompile(`^((?:PLAY|TASK|RUNNING HANDLER|CHECKING HANDLER)(?: \[.*\])?|NO MORE HOSTS LEFT|PLAY RECAP) \*{3,}$`)
	statusLine  = regexp.MustCompile(`^(ok|changed|skipping|failed|fatal): \[([^\]]+)\]:?(.*)$`)
	includeLine = regexp.MustCompile(`^included: (.*?) for ([^=]+?)(?: => (.*))?$`)
	retryLine   = regexp.MustCompile(`^FAILED - RETRYING: \[([^\]]+)\]: .*\((\d+) retries left\)\.$`)
	itemPart    = regexp.MustCompile(`^ (?:=> )?\(item=(.*?)\)(?: => |\s*$)`)
	recapLine   = regexp.MustCompile(`^(\S+)\s+: (ok=.*)$`)
	diffLine    = regexp.MustCompile(`^(?:\+\+\+ |@@ |[-+ ]|\\ No newline|$)`)
)

// parseOutput reads Ansible's default output.
func parseOutput(stdout string, clean cleaner) Run {
	p := parser{clean: clean, run: Run{Recap: map[string]map[string]int{}}, lines: strings.Split(stdout, "\n")}
	for p.next() {
		p.parseLine()
	}
	sortEvents(p.run.Events)
	return p.run
}

type parser struct {
	clean  cleaner
	lines  []string
	line   string
	banner string
	diff   []string
	run    Run
}

func (p *parser) next() bool {
	if len(p.lines) == 0 {
		return false
	}
	p.line, p.lines = p.lines[0], p.lines[1:]
	return true
}

func (p *parser) parseLine() {
	if m := bannerLine.FindStringSubmatch(p.line); m != nil {
		p.banner, p.diff = p.clean.text(m[1]), nil
		if !strings.HasPrefix(m[1], "TASK") && m[1] != "PLAY RECAP" {
			p.add(Event{})
		}
		return
	}
	if p.banner == "PLAY RECAP" {
		p.parseRecap()
		return
	}
	if m := statusLine.FindStringSubmatch(p.line); m != nil {
		p.parseStatus(m[1], m[2], m[3])
		return
	}
	if m := includeLine.FindStringSubmatch(p.line); m != nil {
		hosts := strings.Split(m[2], ", ")
		sort.Strings(hosts)
		item := strings.TrimSuffix(strings.TrimPrefix(m[3], "(item="), ")")
		p.add(Event{Status: "included", Host: strings.Join(hosts, ","), Item: p.clean.text(m[1] + " " + item)})
		return
	}
	if m := retryLine.FindStringSubmatch(p.line); m != nil {
		p.add(Event{Status: "retrying", Host: m[1], Item: m[2]})
		return
	}
	if p.line == "...ignoring" && len(p.run.Events) > 0 {
		p.run.Events[len(p.run.Events)-1].Status += " ignored"
		return
	}
	if strings.HasPrefix(p.line, "--- ") || len(p.diff) > 0 && diffLine.MatchString(p.line) {
		p.diff = append(p.diff, p.line)
	}
}

func (p *parser) parseStatus(status, host, rest string) {
	e := Event{Status: status, Host: host, Diff: strings.TrimSpace(p.clean.text(strings.Join(p.diff, "\n")))}
	p.diff = nil
	if strings.HasPrefix(rest, " UNREACHABLE!") {
		e.Status = "unreachable"
	}
	if m := itemPart.FindStringSubmatch(rest); m != nil {
		e.Item, rest = p.clean.text(m[1]), rest[len(m[0]):]
	}
	if i := strings.IndexByte(rest, '{'); i >= 0 {
		text := rest[i:]
		if strings.TrimSpace(text) == "{" {
			for p.next() {
				text += "\n" + p.line
				if p.line == "}" {
					break
				}
			}
		}
		e.Result = normalResult(p.clean.text(text))
	}
	p.add(e)
}

func (p *parser) add(e Event) {
	e.Banner = p.banner
	p.run.Events = append(p.run.Events, e)
}

func (p *parser) parseRecap() {
	m := recapLine.FindStringSubmatch(p.line)
	if m == nil {
		return
	}
	counts := map[string]int{}
	for _, f := range strings.Fields(m[2]) {
		k, v, _ := strings.Cut(f, "=")
		counts[k], _ = strconv.Atoi(v)
	}
	p.run.Recap[m[1]] = counts
}

// noise are result keys that no two runs share, or that only Python has.
var noise = []string{"delta", "start", "end", "exception", "module_stdout", "module_stderr", "uuid", "discovered_interpreter_python", "warnings", "deprecations",
	"_ansible_verbose_always", "_ansible_no_log", "atime", "mtime", "ctime", "inode", "dev", "src", "invocation", "ansible_facts_gathered"}

// normalResult decodes a shown result, drops noise, and encodes it with sorted
// keys. What is not JSON is kept as a string.
func normalResult(text string) json.RawMessage {
	var v map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		b, _ := json.Marshal(text)
		return b
	}
	b, err := json.Marshal(dropNoise(v))
	if err != nil {
		return json.RawMessage(`null`)
	}
	return b
}

func dropNoise(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if slices.Contains(noise, k) {
				delete(v, k)
			} else {
				v[k] = dropNoise(e)
			}
		}
	case []any:
		for i, e := range v {
			v[i] = dropNoise(e)
		}
	}
	return v
}

// sortEvents puts the hosts of one task in order; the items of a host keep
// theirs. Which host answers first is nobody's promise.
func sortEvents(events []Event) {
	for i := 0; i < len(events); {
		j := i
		for j < len(events) && events[j].Banner == events[i].Banner {
			j++
		}
		slices.SortStableFunc(events[i:j], func(a, b Event) int { return strings.Compare(a.Host, b.Host) })
		i = j
	}
}
