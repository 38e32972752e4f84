package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// median takes the median of each column on its own.
func median(samples []Sample) Sample {
	pick := func(get func(Sample) int64) int64 {
		if len(samples) == 0 {
			return 0
		}
		var v []int64
		for _, s := range samples {
			v = append(v, get(s))
		}
		slices.Sort(v)
		if len(v)%2 == 1 {
			return v[len(v)/2]
		}
		return (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return Sample{
		Wall:    time.Duration(pick(func(s Sample) int64 { return int64(s.Wall) })),
		CPU:     time.Duration(pick(func(s Sample) int64 { return int64(s.CPU) })),
		HostCPU: time.Duration(pick(func(s Sample) int64 { return int64(s.HostCPU) })),
		Peak:    pick(func(s Sample) int64 { return s.Peak }),
	}
}

// WriteJSON keeps every sample.
func WriteJSON(path string, results []Result) error {
	b, err := json.MarshalIndent(results, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// WriteMarkdown writes medians of the second runs, and how many times more each
// tool needs than fettle.
func WriteMarkdown(w io.Writer, results []Result) error {
	fmt.Fprintln(w, "| workload | hosts | latency | tool | first run | second run | × fettle | controller CPU | × fettle | host CPU | peak memory |")
	fmt.Fprintln(w, "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|")
	for _, r := range results {
		head := fmt.Sprintf("| %s | %d | %v | %s |", r.Workload, r.Hosts, r.Latency, r.Tool)
		switch {
		case r.Skipped != "":
			fmt.Fprintf(w, "%s skipped: %s | | | | | | |\n", head, r.Skipped)
			continue
		case r.Error != "":
			fmt.Fprintf(w, "%s failed | | | | | | |\n", head)
			continue
		}
		m, base := median(r.Second), Sample{}
		if i := slices.IndexFunc(results, func(o Result) bool {
			return o.Tool == "fettle" && o.Workload == r.Workload && o.Hosts == r.Hosts && o.Latency == r.Latency
		}); i >= 0 {
			base = median(results[i].Second)
		}
		first := round(median(r.First).Wall).String()
		if len(r.First) == 0 {
			first = "by fettle"
		}
		_, err := fmt.Fprintf(w, "%s %s | %v | %s | %v | %s | %v | %d MB |\n", head, first, round(m.Wall),
			ratio(m.Wall, base.Wall), round(m.CPU), ratio(m.CPU, base.CPU), round(m.HostCPU), m.Peak>>20)
		if err != nil {
			return err
		}
	}
	return nil
}

func ratio(d, base time.Duration) string {
	if base == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", float64(d)/float64(base))
}
