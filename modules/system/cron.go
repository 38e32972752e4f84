package system

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"fettle/modules"
)

func init() {
	modules.Register(modules.Spec{
		Name:    "ansible.builtin.cron",
		Summary: "Keep a job, or a variable, in a crontab.",
		Check:   modules.Full,
		Diff:    modules.Full,
		Rules:   modules.Rules{modules.Exclusive("insertafter", "insertbefore")},
		Notes:   []string{"A comment line \"#Ansible: NAME\" above a job says whose it is; crontabs kept by Ansible are understood."},
		Examples: `
- name: Look for updates every night
  ansible.builtin.cron:
    name: updates
    minute: "17"
    hour: "3"
    job: /usr/local/sbin/updates

- name: Where mail about jobs goes
  ansible.builtin.cron:
    name: MAILTO
    env: true
    job: root@example.org
`,
	}, cron)
}

type cronArgs struct {
	Name         string `arg:"name,required" doc:"What the job is called; with env, the variable."`
	User         string `arg:"user" doc:"Whose crontab; with cron_file, whom the job runs as."`
	Job          string `arg:"job" alias:"value" doc:"The command; with env, the value."`
	State        string `arg:"state" default:"present" choices:"absent,present" doc:"Should it be there?"`
	CronFile     string `arg:"cron_file" type:"path" doc:"A file in /etc/cron.d, or any path, instead of a user's crontab."`
	Backup       bool   `arg:"backup" default:"false" doc:"Keep a copy of the old crontab."`
	Minute       string `arg:"minute" default:"*" doc:"Minute."`
	Hour         string `arg:"hour" default:"*" doc:"Hour."`
	Day          string `arg:"day" alias:"dom" default:"*" doc:"Day of the month."`
	Month        string `arg:"month" default:"*" doc:"Month."`
	Weekday      string `arg:"weekday" alias:"dow" default:"*" doc:"Day of the week, 0 is Sunday."`
	SpecialTime  string `arg:"special_time" choices:"annually,daily,hourly,monthly,reboot,weekly,yearly" doc:"A name for the time, instead of the five fields."`
	Disabled     bool   `arg:"disabled" default:"false" doc:"Keep the job as a comment."`
	Env          bool   `arg:"env" default:"false" doc:"It is a variable, not a job."`
	InsertAfter  string `arg:"insertafter" doc:"Put a new variable after this one."`
	InsertBefore string `arg:"insertbefore" doc:"Put a new variable before this one."`
}

type cronReturn struct {
	Jobs       *[]string `json:"jobs,omitempty" doc:"Names of the jobs." returned:"success"`
	Envs       *[]string `json:"envs,omitempty" doc:"Names of the variables." returned:"success"`
	State      string    `json:"state,omitempty" doc:"absent." returned:"the file is removed"`
	CronFile   string    `json:"cron_file,omitempty" doc:"The file." returned:"cron_file given"`
	BackupFile string    `json:"backup_file,omitempty" doc:"Copy of the old crontab." returned:"changed and backup"`
	RC         *int      `json:"rc,omitempty" doc:"Exit code of crontab." returned:"failure of crontab"`
	Stdout     *string   `json:"stdout,omitempty" doc:"Its output." returned:"failure of crontab"`
	Stderr     *string   `json:"stderr,omitempty" doc:"Its errors." returned:"failure of crontab"`
}

func cron(ctx context.Context, h *modules.Host, a cronArgs) (r modules.Result[*cronReturn], err error) {
	if err := a.check(); err != nil {
		return r, err
	}
	t := crontab{a: &a, path: cronPath(a.CronFile)}
	before, err := t.read(ctx, h)
	if err != nil {
		return r, err
	}
	changed, err := t.edit()
	if err != nil {
		return r, err
	}
	after := t.text()
	if strings.ContainsAny(strings.Trim(a.Job, "\r\n"), "\r\n") {
		h.Warn("Job should not contain line breaks")
	}
	if before != "" && !strings.HasSuffix(before, "\n") {
		changed = true
	}
	r.Data = &cronReturn{Jobs: new(t.jobs()), Envs: new(t.envs()), CronFile: a.CronFile}
	if !changed {
		return r, nil
	}
	header := t.path
	if header == "" {
		header = "crontab"
	}
	r.OneDiff = true
	r.Diff = []modules.Diff{{Before: before, After: after, BeforeHeader: header, AfterHeader: header}}
	if a.Backup && !h.Check {
		if r.Data.BackupFile, err = keepCrontab(before); err != nil {
			return r, err
		}
	}
	if t.emptied(after) {
		r.Data.Jobs, r.Data.Envs, r.Data.State = nil, nil, "absent"
		r.AlwaysDiff, r.Diff[0].AfterHeader = true, os.DevNull
		if !h.Diff {
			r.Diff = nil
		}
		return r, h.Act(func() error { return os.Remove(t.path) })
	}
	failed, err := t.write(ctx, h, after)
	if failed != nil {
		r.Data = failed
	}
	return r, err
}

// emptied is when the last line of a file goes: the file goes with it.
func (t *crontab) emptied(text string) bool {
	return t.path != "" && t.a.State == "absent" && strings.TrimSpace(text) == ""
}

func (a *cronArgs) check() error {
	timed := a.Minute != "*" || a.Hour != "*" || a.Day != "*" || a.Month != "*" || a.Weekday != "*"
	switch {
	case strings.ContainsAny(a.Name, "\r\n"):
		return modules.Failf("the name of a cron job must be one line")
	case a.CronFile != "" && a.User == "" && a.State == "present" && !a.Env:
		return modules.Failf("To use cron_file=... parameter you must specify user=... as well")
	case cronPath(a.CronFile) == "/etc/crontab":
		return modules.Failf("Will not manage /etc/crontab via cron_file, see documentation.")
	case a.SpecialTime != "" && timed:
		return modules.Failf("You cannot combine special_time with any of the time or day/date parameters.")
	case a.Job == "" && a.State == "present":
		return modules.Failf("You must specify 'job' to install a new cron job or variable")
	case a.InsertAfter+a.InsertBefore != "" && !a.Env && a.State == "present":
		return modules.Failf("Insertafter and insertbefore parameters are valid only with env=yes")
	}
	return nil
}

func cronPath(file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join("/etc/cron.d", file)
}

func (t *crontab) read(ctx context.Context, h *modules.Host) (string, error) {
	text := ""
	if t.path != "" {
		b, err := os.ReadFile(t.path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		text = string(b)
	} else {
		out, err := h.Tool(ctx, t.command("-l")...)
		if err != nil {
			return "", err
		}
		if out.RC != 0 && out.RC != 1 {
			return "", modules.Failf("Unable to read crontab")
		}
		if out.RC == 1 && !strings.Contains(out.Stderr, "no crontab for") && out.Stderr != "" {
			return "", modules.Failf("%s", out.Stderr)
		}
		text = out.Stdout
	}
	t.lines = crontabLines(text, t.path == "")
	return text, nil
}

func (t *crontab) command(words ...string) []string {
	argv := []string{"crontab"}
	if t.a.User != "" {
		argv = append(argv, "-u", t.a.User)
	}
	return append(argv, words...)
}

// write brings the text into place; failed is what crontab said when it refused.
func (t *crontab) write(ctx context.Context, h *modules.Host, text string) (failed *cronReturn, err error) {
	if t.path != "" {
		_, err := h.WriteFile(ctx, t.path, []byte(text), modules.Replacement{})
		return nil, err
	}
	err = h.Act(func() error {
		out, err := h.ToolInput(ctx, text, t.command("-")...)
		if err == nil && out.RC != 0 {
			failed = &cronReturn{RC: &out.RC, Stdout: &out.Stdout, Stderr: &out.Stderr}
			err = modules.Failf("Failed to install new cronfile: %s", strings.TrimSpace(out.Stderr))
		}
		return err
	})
	return failed, err
}

func keepCrontab(text string) (string, error) {
	f, err := os.CreateTemp("", "crontab")
	if err != nil {
		return "", err
	}
	if _, err := f.WriteString(text); err != nil {
		_ = f.Close()
		return "", err
	}
	return f.Name(), f.Close()
}
