#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, and prints a table.
#
#   conformance/fuzz.sh [-t SECONDS] [-n INPUTS] [-m MUTANTS] [-c COUNT] [-k] [-l LOG] [TARGET...]
#
# Each target searches for inputs that reach new code, for SECONDS or for INPUTS
# inputs (default: 10 seconds; 0 for not at all); then it runs MUTANTS mutants of its
# seeds, blind but much faster (default: none). -k keeps of each target COUNT
# inputs that reached new code (default: 20), short and long ones, below
# testdata/fuzz, and -l adds a line for each target to a log. A TARGET is a regular expression for
# "PACKAGE Target"; without one all run. The exit status is 1 if there is a
# finding, whose input is then below testdata/fuzz, and 2 for wrong usage.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

amount=10s mutants=0 keeping=0 count=20 log=/dev/null
while getopts 't:n:m:c:kl:' option; do
	case $option in
	t) amount=${OPTARG}s ;;
	n) amount=${OPTARG}x ;;
	m) mutants=$OPTARG ;;
	c) count=$OPTARG ;;
	k) keeping=1 ;;
	l) log=$(realpath "$OPTARG") ;;
	*) sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
pattern=$(IFS='|'; echo "${*:-.}")

work=$(mktemp -d "${TMPDIR:-/tmp}/twofold-fuzz-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
cache=${TWOFOLD_FUZZ_CACHE:-$(go env GOCACHE)/twofold-fuzz}
module=$(go list -m)
total=0 findings=0 targets=0

# run BINARY DIRECTORY ARGUMENTS...: runs a test binary; its output is in $work/out.
run() { (cd "$2" && "$1" "${@:3}") >"$work/out" 2>&1; }

# number PATTERN: the last number that stands behind the pattern in the output; 0 if none.
number() { grep -aoE "$1 *[0-9]+" "$work/out" | tail -1 | grep -oE '[0-9]+$' || echo 0; }

# keep CACHE TESTDATA: copies files of at most 2 KiB, evenly from the shortest to the longest.
keep() {
	[ -d "$1" ] || return 0
	mkdir -p "$2"
	find "$1" -type f -size -3 -printf '%s %p\n' | sort -n | cut -d' ' -f2- |
		awk -v count="$count" '{ file[NR] = $0 } END { for (i = 0; i < count && i < NR; i++) print file[1 + int(i * NR / (count < NR ? count : NR))] }' |
		xargs -r cp -nt "$2/"
}

# targets_of PACKAGE DIRECTORY: the targets of a package that the pattern is for.
targets_of() {
	local target
	for target in $(cat "$2"/*_test.go | grep -oE '^func Fuzz[A-Za-z0-9_]+' | cut -c6- | sort); do
		if [[ "$1 $target" =~ $pattern ]]; then echo "$target"; fi
	done
}

printf '%-42s %-30s %12s %12s %8s  %s\n' PACKAGE TARGET SEARCHED MUTANTS NEW FINDING
while read -r package directory; do
	name=${package#"$module"/}
	list=$(targets_of "$name" "$directory")
	[ -n "$list" ] || continue
	{
		{ [ "${amount%[sx]}" = 0 ] || go test -c -vet=off -fuzz . -o "$work/guided" "$package"; } &&
			{ [ "$mutants" = 0 ] || go test -c -vet=off -o "$work/plain" "$package"; }
	} || { printf '%-42s does not build\n' "$name"; findings=$((findings + 1)); continue; }
	for target in $list; do
		searched=0 blind=0 new=0 finding=-
		if [ "${amount%[sx]}" != 0 ]; then
			run "$work/guided" "$directory" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$amount" \
				-test.fuzzminimizetime 100x -test.fuzzcachedir "$cache/$name" || finding=search
			searched=$(number 'execs:') new=$(number 'new interesting:')
			[ $finding = - ] || cp "$work/out" "$work/finding"
		fi
		if [ "$mutants" != 0 ]; then
			TWOFOLD_FUZZ_MUTANTS=$mutants run "$work/plain" "$directory" -test.run "^$target\$" || { finding=mutant; cp "$work/out" "$work/finding"; }
			blind=$(number "mutants: $target")
		fi
		[ $keeping = 0 ] || keep "$cache/$name/$target" "$directory/testdata/fuzz/$target"
		line=$(printf '%-42s %-30s %12d %12d %8d  %s' "$name" "$target" "$searched" "$blind" "$new" "$finding")
		printf '%s\n' "$line" | tee -a "$log"
		[ $finding = - ] || { findings=$((findings + 1)); tail -40 "$work/finding"; }
		total=$((total + searched + blind)) targets=$((targets + 1))
	done
done < <(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' ./...)
printf '%d targets, %d executions, %d findings\n' "$targets" "$total" "$findings"
[ "$findings" = 0 ]
