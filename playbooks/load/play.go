package load

import (
	"strings"

	"fettle/engine/diag"
	"fettle/engine/plan"
	"fettle/engine/value"
	"fettle/playbooks/ast"
	"fettle/playbooks/yamlv"

	"gopkg.in/yaml.v3"
)

func (p *parser) playbook(path string, n *yaml.Node) *ast.Playbook {
	pb := &ast.Playbook{File: path}
	if yamlv.IsNull(n) {
		p.Diags.Add(diag.Errorf(diag.Pos{File: path}, "syntax", "a playbook must be a list of plays; this file is empty"))
		return pb
	}
	if n.Kind != yaml.SequenceNode {
		d := p.fail(n, "syntax", "a playbook must be a list of plays, found %s", what(n))
		if n.Kind == yaml.MappingNode {
			d.Hint = "put a dash before the play: - hosts: ..."
		}
		return pb
	}
	plays, _ := p.listOf(n, "a list of plays")
	if len(plays) == 0 {
		p.fail(n, "syntax", "A playbook must contain at least one play")
	}
	for _, e := range plays {
		if e.Kind != yaml.MappingNode {
			p.fail(e, "syntax", "expected a play, found %s", what(e))
			continue
		}
		if i := p.importPlaybook(e); i != nil {
			pb.Entries = append(pb.Entries, i)
			continue
		}
		pb.Entries = append(pb.Entries, p.play(e))
	}
	return pb
}

// importPlaybook reads an import_playbook entry; nil means that it is something else.
func (p *parser) importPlaybook(n *yaml.Node) *ast.Import {
	var key, val *yaml.Node
	for _, pair := range p.Pairs(n) {
		switch k := yamlv.Resolve(pair.Key); k.Value {
		case "import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook":
			key, val = k, yamlv.Resolve(pair.Value)
		case "include":
			p.fail(k, "keyword", "include was removed from Ansible").Hint = "write import_playbook"
			return &ast.Import{Pos: p.Pos(n)}
		}
	}
	if key == nil {
		return nil
	}
	i := &ast.Import{Pos: p.Pos(n), At: p.Pos(val), File: p.Value(val)}
	if val.Kind != yaml.ScalarNode || yamlv.IsNull(val) {
		p.fail(val, "keyword", "import_playbook needs the name of a playbook, found %s", what(val))
		i.File = nil
	}
	i.Attrs = p.keywords(n, ast.OnImport, "import_playbook", func(k string, key, v *yaml.Node) { i.Vars = p.vars(key, v) },
		func(k, _ *yaml.Node) bool { return k == key })
	return i
}

func (p *parser) play(n *yaml.Node) *ast.Play {
	play := &ast.Play{Pos: p.Pos(n)}
	play.Attrs = p.keywords(n, ast.OnPlay, "a Play", func(k string, key, v *yaml.Node) {
		switch k {
		case "vars":
			play.Vars = p.vars(key, v)
		case "vars_files":
			play.VarsFiles = p.varsFiles(v)
		case "vars_prompt":
			play.Prompts = p.prompts(v)
		case "roles":
			play.Roles = p.roleUses(v)
		case "pre_tasks":
			play.PreTasks = p.items(v, k, false)
		case "tasks":
			play.Tasks = p.items(v, k, false)
		case "post_tasks":
			play.PostTasks = p.items(v, k, false)
		case "handlers":
			play.Handler = p.items(v, k, true)
		}
	}, nil)
	p.checkPlay(play, n)
	return play
}

func (p *parser) checkPlay(play *ast.Play, n *yaml.Node) {
	hosts := play.Attrs.Find("hosts")
	switch {
	case hosts == nil:
		d := p.fail(n, "keyword", "a play needs hosts")
		if t := taskLike(n, p); t != "" {
			d.Hint = "this looks like a task (" + t + "); tasks stand under tasks: of a play"
		}
	case emptyHosts(hosts.Value):
		p.Diags.Add(diag.Errorf(hosts.At, "keyword", "Hosts list cannot be empty. Please check your playbook"))
	default:
		if bad := badHosts(hosts.Value); bad != "" {
			p.Diags.Add(diag.Errorf(hosts.At, "keyword", "hosts must be a pattern or a list of patterns, found %s", bad))
		}
	}
	if u := play.Attrs.Find("user"); u != nil {
		if play.Attrs.Find("remote_user") != nil {
			p.Diags.Add(diag.Errorf(u.Key, "keyword", "both 'user' and 'remote_user' are set for this play."))
		} else {
			u.Name = "remote_user"
		}
	}
}

// taskLike finds a key that names a module.
func taskLike(n *yaml.Node, p *parser) string {
	for _, pair := range p.Pairs(n) {
		k := yamlv.Resolve(pair.Key).Value
		if _, isKeyword := ast.Find(k, ast.OnPlay); !isKeyword && p.isModule(k) {
			return k
		}
	}
	return ""
}

func emptyHosts(v value.Value) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case *value.List:
		return len(x.V) == 0
	}
	return false
}

func badHosts(v value.Value) string {
	l, ok := v.(*value.List)
	if !ok {
		l = value.NewList(v)
	}
	for _, e := range l.V {
		switch e.(type) {
		case string, value.Text, *value.Template:
		case nil:
			return "an empty element"
		case *value.Dict:
			return "a mapping"
		case *value.List:
			return "a list in a list"
		default:
			return value.Str(e)
		}
	}
	return ""
}

func (p *parser) varsFiles(n *yaml.Node) []plan.Attr {
	if n.Kind == yaml.ScalarNode && !yamlv.IsNull(n) {
		return []plan.Attr{{Value: p.Value(n), At: p.Pos(n), Set: true}}
	}
	list, _ := p.listOf(n, "a list of files")
	var out []plan.Attr
	for _, e := range list {
		if bad := p.notFile(e); bad != nil {
			p.fail(bad, "keyword", "expected the name of a variables file, found %s", what(bad))
			continue
		}
		out = append(out, plan.Attr{Value: p.Value(e), At: p.Pos(e), Set: true})
	}
	return out
}

// notFile is what cannot be the name of a file, or a list of names of which the first that exists counts.
func (p *parser) notFile(n *yaml.Node) *yaml.Node {
	n = yamlv.Resolve(n)
	if n.Kind == yaml.SequenceNode {
		for _, e := range n.Content {
			if bad := p.notFile(e); bad != nil {
				return bad
			}
		}
		return nil
	}
	switch p.Value(n).(type) {
	case string, *value.Template:
		return nil
	}
	return n
}

var promptKeys = []string{"confirm", "default", "encrypt", "name", "private", "prompt", "salt", "salt_size", "unsafe"}

func (p *parser) prompts(n *yaml.Node) []plan.Prompt {
	if n.Kind == yaml.MappingNode { // one prompt may stand without a list
		return []plan.Prompt{p.prompt(n)}
	}
	list, _ := p.listOf(n, "a list of prompts")
	var out []plan.Prompt
	for _, e := range list {
		if e.Kind != yaml.MappingNode {
			p.fail(e, "keyword", "expected a prompt (a mapping with name), found %s", what(e))
			continue
		}
		out = append(out, p.prompt(e))
	}
	return out
}

func (p *parser) prompt(n *yaml.Node) plan.Prompt {
	out := plan.Prompt{Private: true, At: p.Pos(n)}
	for _, pair := range p.Pairs(n) {
		key, v := yamlv.Resolve(pair.Key), yamlv.Resolve(pair.Value)
		val := p.Value(v)
		text := value.Str(asText(source(val)))
		flag := func() bool {
			b, ok := val.(bool)
			if s, isText := val.(string); isText {
				b, ok = yamlv.Scalar(s).(bool)
			}
			if !ok {
				p.fail(v, "keyword", "%s of a prompt must be yes or no", key.Value)
			}
			return b
		}
		switch key.Value {
		case "name":
			out.Name = text
			if !isName(text) {
				p.fail(v, "keyword", "invalid variable name %q", text)
			}
		case "prompt":
			out.Text = text
		case "default":
			out.Default = plan.Attr{Value: val, At: p.Pos(v), Set: val != nil}
		case "private":
			out.Private = flag()
		case "confirm":
			out.Confirm = flag()
		case "unsafe":
			out.Unsafe = flag()
		case "encrypt":
			if val != nil {
				out.Encrypt = text
			}
		case "salt":
			if val != nil {
				out.Salt = text
			}
		case "salt_size":
			size, _ := value.Int(val)
			out.SaltSize = int(size)
		default:
			p.fail(key, "keyword", "%q is not a key of a prompt", key.Value).Hint = diag.DidYouMean(key.Value, promptKeys)
		}
	}
	if out.Name == "" {
		p.fail(n, "keyword", "Invalid vars_prompt data structure, missing 'name' key")
	}
	return out
}

// source is the text of a template.
func source(v value.Value) value.Value {
	if t, ok := v.(*value.Template); ok {
		return t.Src
	}
	return v
}

func (p *parser) roleUses(n *yaml.Node) []*ast.RoleUse {
	if n.Kind != yaml.SequenceNode && !yamlv.IsNull(n) {
		p.fail(n, "keyword", "A malformed role declaration was encountered. Expected a list of roles, found %s", what(n))
		return nil
	}
	list, _ := p.listOf(n, "a list of roles")
	var out []*ast.RoleUse
	for _, e := range list {
		if r := p.roleUse(e); r != nil {
			out = append(out, r)
		}
	}
	return out
}

func (p *parser) roleUse(n *yaml.Node) *ast.RoleUse {
	r := &ast.RoleUse{Pos: p.Pos(n), At: p.Pos(n)}
	switch {
	case n.Kind == yaml.ScalarNode && !yamlv.IsNull(n):
		r.Name = asText(p.Value(n))
		if text, ok := r.Name.(string); ok && strings.Contains(text, ",") {
			p.fail(n, "keyword", "Invalid old style role requirement: %s", text).Hint = "write role: NAME"
			return nil
		}
		return r
	case n.Kind != yaml.MappingNode:
		p.fail(n, "keyword", "expected the name of a role or a mapping with role, found %s", what(n))
		return nil
	}
	r.Params = &value.Vars{}
	for _, pair := range p.Pairs(n) {
		key, v := yamlv.Resolve(pair.Key), yamlv.Resolve(pair.Value)
		k, isKeyword := ast.Find(key.Value, ast.OnRole)
		switch {
		case key.Value == "role" || key.Value == "name" && r.Name == nil:
			r.Name, r.At = asText(p.Value(v)), p.Pos(v)
		case key.Value == "name":
		case key.Value == "vars":
			r.Vars = p.vars(key, v)
		case isKeyword:
			r.Attrs = append(r.Attrs, p.attr(k, key, v))
		default:
			r.Params.Set(key.Value, p.Value(v), p.Pos(key))
		}
	}
	if s, isText := r.Name.(string); r.Name == nil || isText && s == "" {
		p.fail(n, "keyword", "a role entry needs the name of a role").Hint = "write role: NAME"
		return nil
	}
	return r
}

func (p *parser) meta(n *yaml.Node) *ast.RoleMeta {
	m := &ast.RoleMeta{}
	if yamlv.IsNull(n) {
		return m
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n, "syntax", "meta of a role must be a mapping, found %s", what(n))
		return m
	}
	for _, pair := range p.Pairs(n) {
		key, v := yamlv.Resolve(pair.Key), yamlv.Resolve(pair.Value)
		switch key.Value {
		case "dependencies":
			m.Dependencies = p.dependencies(v)
		case "allow_duplicates":
			m.AllowDuplicates, _ = yamlv.Scalar(v.Value).(bool)
		case "collections":
			list, _ := p.listOf(v, "a list of collections")
			for _, c := range list {
				m.Collections = append(m.Collections, c.Value)
			}
		case "argument_specs":
			m.ArgumentSpecs, _ = p.Value(v).(*value.Dict)
		case "galaxy_info", "standalone", "version":
		default:
			if hint := diag.DidYouMean(key.Value, []string{"dependencies", "allow_duplicates", "collections", "argument_specs", "galaxy_info"}); hint != "" {
				d := diag.Warnf(p.Pos(key), "keyword", "%q is not a key of a role's meta file", key.Value)
				d.Hint, d.Width = hint, len([]rune(key.Value))
				p.Diags.Add(d)
			}
		}
	}
	return m
}

// dependencies are role entries; galaxy's src stands for role there.
func (p *parser) dependencies(n *yaml.Node) []*ast.RoleUse {
	list, _ := p.listOf(n, "a list of roles")
	var out []*ast.RoleUse
	for _, e := range list {
		r := p.dependency(e)
		if r != nil {
			out = append(out, r)
		}
	}
	return out
}

func (p *parser) dependency(n *yaml.Node) *ast.RoleUse {
	if n.Kind == yaml.MappingNode {
		var src *yaml.Node
		named := false
		for _, pair := range p.Pairs(n) {
			switch yamlv.Resolve(pair.Key).Value {
			case "role", "name":
				named = true
			case "src":
				src = yamlv.Resolve(pair.Value)
			}
		}
		if !named && src != nil {
			return &ast.RoleUse{Pos: p.Pos(n), At: p.Pos(src), Name: galaxyName(src.Value)}
		}
	}
	return p.roleUse(n)
}
