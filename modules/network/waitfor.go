package network

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"fettle/engine/pyre"
	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.wait_for",
		Extra:   true,
		Summary: "Wait for a port, a file, a text in either, or just for a time.",
		Check:   modules.None,
		Examples: `
- name: The database accepts connections
  ansible.builtin.wait_for:
    port: 5432
    timeout: 60

- name: The log says that it is ready
  ansible.builtin.wait_for:
    path: /var/log/app.log
    search_regex: ready
`,
	}, waitFor)
}

type waitForArgs struct {
	Host           string   `arg:"host" default:"127.0.0.1" doc:"Host of the port."`
	Port           *int64   `arg:"port" doc:"The port."`
	Path           string   `arg:"path" type:"path" doc:"The file."`
	State          string   `arg:"state" default:"started" choices:"absent,drained,present,started,stopped" doc:"What to wait for; drained is when no connection is left."`
	SearchRegex    string   `arg:"search_regex" doc:"Regular expression for the file, or for what the port says."`
	Delay          int64    `arg:"delay" default:"0" doc:"Seconds before the first look."`
	Sleep          int64    `arg:"sleep" default:"1" doc:"Seconds between looks."`
	Timeout        int64    `arg:"timeout" default:"300" doc:"Seconds after which to give up."`
	ConnectTimeout int64    `arg:"connect_timeout" default:"5" doc:"Seconds for one connection."`
	ActiveStates   []string `arg:"active_connection_states" elements:"str" default:"ESTABLISHED,FIN_WAIT1,FIN_WAIT2,SYN_RECV,SYN_SENT,TIME_WAIT" doc:"States that count as a connection."`
	ExcludeHosts   []string `arg:"exclude_hosts" elements:"str" doc:"Peers whose connections do not count."`
	Msg            string   `arg:"msg" doc:"What to say when it did not happen."`
}

type waitForReturn struct {
	State     string      `json:"state,omitempty" doc:"What was waited for." returned:"success"`
	Port      *int64      `json:"port" doc:"The port." returned:"success"`
	Path      *string     `json:"path" doc:"The file." returned:"success"`
	Regex     *string     `json:"search_regex" doc:"The expression." returned:"success"`
	Groups    []*string   `json:"match_groups" doc:"Groups of the match." returned:"success"`
	GroupDict *groupsDict `json:"match_groupdict" doc:"Named groups of the match." returned:"success"`
	Elapsed   int64       `json:"elapsed" doc:"Seconds it took." returned:"always"`
	*modules.PathInfo
}

type groupsDict = map[string]*string

type waitForFailure struct {
	Elapsed int64 `json:"elapsed"`
}

// wait is one call: what to look for, how to say that it did not come.
type wait struct {
	h     *modules.Host
	a     *waitForArgs
	regex *pyre.Regexp
	found *pyre.Match
}

func waitFor(ctx context.Context, h *modules.Host, a waitForArgs) (r modules.Result[any], err error) {
	start := time.Now()
	elapsed := func() int64 { return int64(time.Since(start).Seconds()) }
	w := &wait{h: h, a: &a}
	if err := w.check(); err != nil {
		r.Data = waitForFailure{elapsed()}
		return r, err
	}
	sleep(ctx, a.Delay)
	begin := start
	if w.aimless() {
		begin = time.Now()
	}
	limit, cancel := context.WithDeadline(ctx, begin.Add(time.Duration(a.Timeout)*time.Second))
	defer cancel()
	reached, err := w.until(limit)
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if err == nil && !reached {
		if err = modules.Failf("%s", w.complaint()); a.Msg != "" {
			err = modules.Failf("%s", a.Msg)
		}
	}
	if err != nil {
		r.Data = waitForFailure{elapsed()}
		return r, err
	}
	out := waitForReturn{State: a.State, Port: a.Port, Elapsed: elapsed()}
	out.Groups, out.GroupDict = w.groups()
	if a.SearchRegex != "" {
		out.Regex = &a.SearchRegex
	}
	if a.Path != "" {
		out.Path = &a.Path
		if info := h.PathInfo(ctx, a.Path); info.UID != nil {
			out.State, out.PathInfo = info.State, &info
			out.PathInfo.State = ""
		}
	}
	r.Data = out
	return r, nil
}

func (w *wait) check() (err error) {
	a := w.a
	switch {
	case a.Port != nil && a.Path != "":
		return modules.Failf("port and path parameter can not both be passed to wait_for")
	case a.Path != "" && a.State == "stopped":
		return modules.Failf("state=stopped should only be used for checking a port in the wait_for module")
	case a.Path != "" && a.State == "drained":
		return modules.Failf("state=drained should only be used for checking a port in the wait_for module")
	case len(a.ExcludeHosts) > 0 && a.State != "drained":
		return modules.Failf("exclude_hosts should only be with state=drained")
	}
	for _, s := range a.ActiveStates {
		if _, ok := tcpStates[s]; !ok {
			return modules.Failf("unknown active_connection_state (%s) defined", s)
		}
	}
	if a.SearchRegex != "" {
		w.regex, err = pyre.Compile(a.SearchRegex, pyre.MultiLine)
	}
	return err
}

func sleep(ctx context.Context, seconds int64) {
	t := time.NewTimer(time.Duration(seconds) * time.Second)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// aimless is when there is nothing to look at: the time limit itself is the wait.
func (w *wait) aimless() bool {
	return w.a.Port == nil && w.a.Path == "" && w.a.State != "drained"
}

// until looks again and again; false is when the time is over.
func (w *wait) until(ctx context.Context) (bool, error) {
	if w.aimless() {
		<-ctx.Done()
		return true, nil
	}
	for ctx.Err() == nil {
		reached, err := w.look(ctx)
		if reached || err != nil {
			return reached, err
		}
		sleep(ctx, w.a.Sleep)
	}
	return false, nil
}

func (w *wait) look(ctx context.Context) (bool, error) {
	switch a := w.a; {
	case a.State == "drained":
		n, err := w.connections(ctx)
		return n == 0, err
	case a.Path != "" && a.State == "absent":
		_, err := os.Stat(a.Path)
		return errors.Is(err, os.ErrNotExist), nil
	case a.Path != "":
		return w.inFile()
	case a.State == "absent" || a.State == "stopped":
		conn, err := w.connect(ctx)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil && ctx.Err() == nil, nil
	}
	return w.onPort(ctx)
}

func (w *wait) inFile() (bool, error) {
	if w.regex == nil {
		return modules.Exists(w.a.Path), nil
	}
	b, err := os.ReadFile(w.a.Path)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return false, err
		}
		return false, nil
	}
	w.found, err = w.regex.Search(string(b))
	return w.found != nil, err
}

func (w *wait) connect(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Duration(w.a.ConnectTimeout) * time.Second}
	return d.DialContext(ctx, "tcp", net.JoinHostPort(w.a.Host, strconv.FormatInt(*w.a.Port, 10)))
}

func (w *wait) onPort(ctx context.Context) (bool, error) {
	conn, err := w.connect(ctx)
	if err != nil {
		return false, nil
	}
	defer func() { _ = conn.Close() }()
	if w.regex == nil {
		return true, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	text := make([]byte, 0, 4096)
	for len(text) < 1<<20 {
		part := make([]byte, 4096)
		n, err := conn.Read(part)
		text = append(text, part[:n]...)
		if w.found, _ = w.regex.Search(string(text)); w.found != nil {
			return true, nil
		}
		if err != nil {
			return false, nil
		}
	}
	return false, nil
}

func (w *wait) complaint() string {
	a := w.a
	where := a.Path
	if a.Port != nil {
		where = a.Host + ":" + strconv.FormatInt(*a.Port, 10)
	}
	switch {
	case a.State == "drained":
		return "Timeout when waiting for " + where + " to drain"
	case a.Path != "" && a.State == "absent":
		return "Timeout when waiting for " + where + " to be absent."
	case a.State == "absent" || a.State == "stopped":
		return "Timeout when waiting for " + where + " to stop."
	case a.SearchRegex != "":
		return "Timeout when waiting for search string " + a.SearchRegex + " in " + where
	case a.Path != "":
		return "Timeout when waiting for file " + where
	}
	return "Timeout when waiting for " + where
}

func (w *wait) groups() ([]*string, *groupsDict) {
	list, dict := []*string{}, groupsDict{}
	if w.found == nil {
		return list, &dict
	}
	for i := 1; i <= w.regex.Groups(); i++ {
		list = append(list, groupText(w.found.Group(i)))
	}
	for name := range w.regex.GroupIndex() {
		text, set, _ := w.found.Named(name)
		dict[name] = groupText(text, set)
	}
	return list, &dict
}

func groupText(text string, set bool) *string {
	if !set {
		return nil
	}
	return &text
}

// tcpStates are the numbers of the states in /proc/net/tcp.
var tcpStates = map[string]string{"ESTABLISHED": "01", "SYN_SENT": "02", "SYN_RECV": "03", "FIN_WAIT1": "04", "FIN_WAIT2": "05", "TIME_WAIT": "06",
	"CLOSE": "07", "CLOSE_WAIT": "08", "LAST_ACK": "09", "LISTEN": "0A", "CLOSING": "0B"}

// connections counts those to the port of the host that are in one of the states.
func (w *wait) connections(ctx context.Context) (int, error) {
	if w.a.Port == nil {
		return 0, modules.Failf("state=drained requires port")
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", w.a.Host)
	if err != nil {
		return 0, err
	}
	var skip []net.IP
	for _, host := range w.a.ExcludeHosts {
		found, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
		if err != nil {
			return 0, err
		}
		skip = append(skip, found...)
	}
	var states []string
	for _, s := range w.a.ActiveStates {
		states = append(states, tcpStates[s])
	}
	n := 0
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(f)
		_ = f.Close()
		if err != nil {
			return 0, err
		}
		n += countConnections(string(text), ips, uint16(*w.a.Port), states, skip) //nolint:gosec // a port
	}
	return n, nil
}

// countConnections reads a /proc/net/tcp table; an unspecified address stands for all.
func countConnections(table string, ips []net.IP, port uint16, states []string, skip []net.IP) (n int) {
	any := slices.ContainsFunc(ips, net.IP.IsUnspecified)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || !slices.Contains(states, f[3]) {
			continue
		}
		ip, p, ok := procAddress(f[1])
		peer, _, ok2 := procAddress(f[2])
		same := func(list []net.IP, x net.IP) bool { return slices.ContainsFunc(list, x.Equal) }
		if ok && ok2 && p == port && (any || same(ips, ip)) && !same(skip, peer) {
			n++
		}
	}
	return n
}

// procAddress reads an address of /proc/net/tcp: words of four bytes, each turned round.
func procAddress(s string) (net.IP, uint16, bool) {
	host, p, ok := strings.Cut(s, ":")
	port, err := strconv.ParseUint(p, 16, 16)
	if !ok || err != nil || len(host) != 8 && len(host) != 32 {
		return nil, 0, false
	}
	ip := make(net.IP, 0, 16)
	for i := 0; i < len(host); i += 8 {
		w, err := strconv.ParseUint(host[i:i+8], 16, 32)
		if err != nil {
			return nil, 0, false
		}
		ip = append(ip, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return ip, uint16(port), true
}
