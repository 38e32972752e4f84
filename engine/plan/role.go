package plan

import (
	"strings"

	"fettle/engine/value"
)

// Magic is a variable that tells a task of the role about it: role_name, role_path,
// ansible_parent_role_names and the like.
func (r *Role) Magic(name string) (value.Value, bool) {
	switch name {
	case "role_name":
		if parts := strings.Split(r.Name, "."); len(parts) == 3 {
			return parts[2], true
		}
		return r.Name, true
	case "role_path", "role_uuid":
		return r.Path, true
	case "ansible_role_name":
		return r.fullName(), true
	case "ansible_parent_role_names":
		return r.parents((*Role).fullName)
	case "ansible_parent_role_paths":
		return r.parents(func(p *Role) string { return p.Path })
	case "ansible_collection_name":
		if parts := strings.Split(r.FQName, "."); len(parts) >= 3 {
			return parts[0] + "." + parts[1], true
		}
	}
	return nil, false
}

func (r *Role) fullName() string {
	if r.FQName != "" {
		return r.FQName
	}
	return r.Name
}

// parents are told of the roles with a task that brings in the one below; of a dependency they are
// not (observed with 2.19.11).
func (r *Role) parents(what func(*Role) string) (value.Value, bool) {
	l := value.NewList()
	child := r
	for _, p := range r.Parents {
		if child.Included {
			l.V = append(l.V, what(p))
		}
		child = p
	}
	return l, len(l.V) > 0
}
