package value

// MarshalJSON lets dicts stand inside structs that encoding/json writes.
func (d *Dict) MarshalJSON() ([]byte, error) { return ToJSON(d) }

// MarshalJSON lets lists stand inside structs that encoding/json writes.
func (l *List) MarshalJSON() ([]byte, error) { return ToJSON(l) }
