package ansible

import (
	"fmt"
	"os"
	"slices"
	"syscall"
)

// ranges writes numbers as "1-3", "5", in rising order.
func ranges(nums []int64) []string {
	nums = slices.Clone(nums)
	slices.Sort(nums)
	nums = slices.Compact(nums)
	var out []string
	for i := 0; i < len(nums); {
		j := i
		for j+1 < len(nums) && nums[j+1] == nums[j]+1 {
			j++
		}
		switch {
		case j == i:
			out = append(out, fmt.Sprint(nums[i]))
		case j == i+1:
			out = append(out, fmt.Sprint(nums[i]), fmt.Sprint(nums[j]))
		default:
			out = append(out, fmt.Sprintf("%d-%d", nums[i], nums[j]))
		}
		i = j + 1
	}
	return out
}

// owners are the numbers of a file's user and group.
func owners(st os.FileInfo) (uid, gid int64) {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return int64(s.Uid), int64(s.Gid)
	}
	return -1, -1
}
