package cli

import (
	"regexp"
	"slices"
)

// dashedIdentifier is an identifier of 16 bytes, such as an aggregation job's, whose Base64 happens to begin
// with a dash, which one in 64 does. Its last character has four bits that are zero.
var dashedIdentifier = regexp.MustCompile(`^-[-_A-Za-z0-9]{20}[AQgw]$`)

// identifiersLast returns the arguments with such identifiers at the end, behind "--", so that they are not
// taken for flags. An argument that follows a flag --task or --dir is its value and stays there.
func identifiersLast(args []string) []string {
	var found, others []string
	for i, arg := range args {
		isValue := i > 0 && slices.Contains([]string{"--task", "--dir"}, args[i-1])
		if dashedIdentifier.MatchString(arg) && !isValue && !slices.Contains(args, "--") {
			found = append(found, arg)
		} else {
			others = append(others, arg)
		}
	}
	if len(found) == 0 {
		return args
	}
	return append(append(others, "--"), found...)
}
