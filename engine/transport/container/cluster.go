package container

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fettle/engine/transport"
)

// options of kubectl and oc: the flag, the names of their variables, and the environment.
var clusterOptions = []struct{ flag, vars, env string }{
	{"--namespace", "namespace", "K8S_AUTH_NAMESPACE"},
	{"--context", "context", "K8S_AUTH_CONTEXT"},
	{"--server", "server host", "K8S_AUTH_HOST K8S_AUTH_SERVER"},
	{"--certificate-authority", "ca_cert ssl_ca_cert", "K8S_AUTH_SSL_CA_CERT"},
	{"--client-certificate", "client_cert cert_file", "K8S_AUTH_CERT_FILE"},
	{"--client-key", "client_key key_file", "K8S_AUTH_KEY_FILE"},
}

// cluster is the way of kubectl and oc. Ansible gives tokens and passwords to them as
// arguments; here they are a configuration that the program reads from memory.
func cluster(kind, pod string, t *transport.Target) (*way, error) {
	get := func(vars, env string) string {
		for v := range strings.FieldsSeq(vars) {
			if s := t.Var("ansible_" + kind + "_" + v); s != "" {
				return s
			}
		}
		for e := range strings.FieldsSeq(env) {
			if s := os.Getenv(e); s != "" {
				return s
			}
		}
		return ""
	}
	w := &way{}
	args := []string{kind}
	for _, o := range clusterOptions {
		if v := get(o.vars, o.env); v != "" {
			args = append(args, o.flag+"="+v)
		}
	}
	switch v := strings.ToLower(get("validate_certs verify_ssl", "K8S_AUTH_VERIFY_SSL")); v {
	case "", "yes", "true", "1", "on", "y", "t":
	case "no", "false", "0", "off", "n", "f":
		args = append(args, "--insecure-skip-tls-verify=true")
	default:
		return &way{words: args}, fmt.Errorf("ansible_%s_validate_certs: %q is neither true nor false", kind, v)
	}
	config := get("kubeconfig config", "K8S_AUTH_KUBECONFIG")
	token, user, password := get("token api_key", "K8S_AUTH_TOKEN K8S_AUTH_API_KEY"), get("username user", "K8S_AUTH_USERNAME"), get("password", "K8S_AUTH_PASSWORD")
	switch {
	case token != "" || user != "" || password != "":
		if err := w.login(token, user, password, config); err != nil {
			return &way{words: args}, err
		}
		args = append(args, "--user="+secretUser)
	case config != "":
		args = append(args, "--kubeconfig="+config)
	}
	args = append(args, strings.Fields(get("extra_args", "K8S_AUTH_EXTRA_ARGS"))...)
	words := func(flags ...string) []string {
		out := append(slices.Clone(args), "exec", "-i")
		out = append(append(out, flags...), pod)
		if c := get("container", "K8S_AUTH_CONTAINER"); c != "" {
			out = append(out, "-c", c)
		}
		return slices.Concat(out, []string{"--"}, shell)
	}
	w.words, w.terminal = words(), words("-t")
	return w, nil
}

// secretUser is the name of the user in the configuration in memory.
const secretUser = "fettle-secret"

// login puts credentials into a configuration that stands before the others.
func (w *way) login(token, user, password, config string) error {
	type account struct {
		Token    string `json:"token,omitempty"`
		Username string `json:"username,omitempty"`
		Password string `json:"password,omitempty"`
	}
	type named struct {
		Name string  `json:"name"`
		User account `json:"user"`
	}
	b, err := json.Marshal(struct {
		APIVersion string  `json:"apiVersion"`
		Kind       string  `json:"kind"`
		Users      []named `json:"users"`
	}{"v1", "Config", []named{{secretUser, account{token, user, password}}}})
	if err != nil {
		return err
	}
	if config == "" {
		config = os.Getenv("KUBECONFIG")
	}
	if config == "" {
		if home, err := os.UserHomeDir(); err == nil {
			config = filepath.Join(home, ".kube", "config")
		}
	}
	w.secret, w.env = b, []string{"KUBECONFIG=" + strings.Join([]string{secretPath, config}, string(os.PathListSeparator))}
	return nil
}
