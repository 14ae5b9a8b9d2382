package conformance

// architecture is the table of the arrows in the module: which package may
// import which. Arrows run one way, from the mathematics up to the commands. Every
// package has a row, every row has a package, and what is not in the table is
// forbidden. Whoever adds a package adds its row, and whoever adds an arrow
// says so here.
var architecture = []archRow{
	// The mathematics.
	{name: "field"},
	{name: "xof", imports: "field"},
	{name: "flp", imports: "field"},
	{name: "vdaf", imports: "field xof flp"},
	{name: "vdaf/pingpong", imports: "vdaf"},
	{name: "dp", imports: "field"},

	// The protocol. It carries proofs as opaque bytes, and does not know vdaf.
	{name: "dap", imports: "internal/x25519"},

	// What the servers do, and what it runs on.
	{name: "aggregator", imports: "dap dp vdaf vdaf/pingpong internal/fairshare internal/secret internal/taskprivacy", tests: "store internal/taskvdaf"},
	{name: "store", imports: "aggregator dap dp vdaf internal/sealed internal/secret internal/taskprivacy", tests: "store/storetest internal/memorydir"},
	{name: "store/storetest", imports: "aggregator dap dp vdaf internal/secret internal/taskprivacy", testOnly: true},

	// HTTP.
	{name: "api", imports: "aggregator dap internal/daphttp internal/fairshare internal/secret", tests: "store"},

	// The libraries of clients and of the analyst.
	{name: "client", imports: "dap vdaf internal/dapclient internal/daphttp internal/secret internal/taskfile internal/taskprivacy internal/taskvdaf internal/vdafspec"},

	{name: "collector", imports: "dap dp vdaf internal/dapclient internal/daphttp internal/secret internal/taskprivacy internal/vdafspec"},

	// The Collector as a service: a state machine that knows neither HTTP nor the database.
	{name: "collector/service", imports: "collector dap dp internal/base64url internal/secret internal/taskfile internal/taskprivacy internal/vdafspec", tests: "collector/resultstore"},
	{name: "collector/wire", imports: "collector/service dap"},
	{name: "collector/web", imports: "collector/service collector/wire dap", tests: "collector/resultstore internal/secret"},
	{name: "collector/resultstore", imports: "collector/service dap internal/sealed internal/secret"},
	{name: "collector/servicetest", imports: "collector/resultstore collector/service dap internal/secret internal/taskfile", testOnly: true},
	// What an analyst sees of it: charts, and pages without a framework.
	{name: "collector/chart"},
	{name: "collector/page", imports: "collector/chart collector/service dap internal/secret internal/timespan", tests: "internal/browser"},

	// What a person types. The mains wire; what they wire is below internal.
	{name: "cmd/leader", imports: "dap internal/cli internal/commands/aggregatorcmd"},
	{name: "cmd/helper", imports: "dap internal/cli internal/commands/aggregatorcmd"},
	{name: "cmd/client", imports: "internal/cli internal/commands/clientcmd"},
	{name: "cmd/collector", imports: "internal/cli internal/commands/collectorcmd"},
	{name: "cmd/demo", imports: "client collector/wire dap field vdaf internal/bars internal/processes internal/vdafspec"},
	{name: "internal/cli"},
	{name: "internal/commands", tests: "aggregator api dap internal/base64url store internal/commands/aggregatorcmd internal/commands/clientcmd internal/commands/collectorcmd internal/processes"},
	{name: "internal/commands/aggregatorcmd", imports: "api dap internal/cli internal/operator internal/taskfile"},
	{name: "internal/commands/clientcmd", imports: "client dap internal/cli internal/commands/explain internal/measure internal/taskfile"},
	{name: "internal/commands/collectorcmd", imports: "collector collector/chart collector/wire dap dp internal/bars internal/base64url internal/cli internal/collectordir internal/commands/explain internal/plan internal/privatefile internal/taskfile internal/taskprivacy internal/timespan internal/vdafspec"},
	// The commands' own tests.
	{name: "internal/commands/explain", imports: "dap internal/dapclient"},
	// An aggregator's directory and its operator's service: where the engines meet their store and their API.
	{name: "internal/operator", imports: "aggregator api dap dp store internal/base64url internal/daphttp internal/privatefile internal/secret internal/taskfile internal/taskprivacy internal/taskvdaf internal/timespan"},
	// A Collector's directory: where its service meets its store and its HTTP. The server and the socket are those of the aggregators.
	{name: "internal/collectordir", imports: "api collector/page collector/resultstore collector/service collector/web collector/wire dap internal/sealed internal/secret"},
	{name: "internal/measure", imports: "client internal/vdafspec"},

	// Measurements of the whole system.
	{name: "bench/load", imports: "aggregator client dap internal/operator internal/processes internal/taskvdaf internal/vdafspec store vdaf vdaf/pingpong"},
	{name: "bench/peers", imports: "vdaf"},

	// What several of these share.
	{name: "internal/x25519"},
	{name: "internal/secret"},
	{name: "internal/sealed", imports: "internal/secret"},
	{name: "internal/base64url"},
	{name: "internal/bars"},
	{name: "internal/fairshare"},
	{name: "internal/timespan"},
	{name: "internal/privatefile"},
	{name: "internal/daphttp", imports: "dap"},
	{name: "internal/dapclient", imports: "dap internal/daphttp internal/secret"},
	{name: "internal/vdafspec", imports: "dap flp vdaf"},
	{name: "internal/taskprivacy", imports: "dap dp"},
	{name: "internal/plan", imports: "dap dp internal/taskprivacy internal/vdafspec vdaf vdaf/pingpong"},
	{name: "internal/taskvdaf", imports: "dap vdaf/pingpong internal/vdafspec", tests: "vdaf"},
	{name: "internal/taskfile", imports: "dap dp internal/base64url internal/taskprivacy internal/timespan internal/vdafspec"},
	{name: "internal/testvdaf", imports: "vdaf", testOnly: true},
	{name: "internal/fuzzing", testOnly: true},
	{name: "internal/fixedseed", testOnly: true},
	{name: "internal/memorydir", testOnly: true},
	// Chromium, for the tests of pages.
	{name: "internal/browser", testOnly: true},

	// The real servers and commands, started as processes.
	{name: "internal/processes", imports: "api dap"},

	// The real servers in a network that fails, until they are killed.
	{name: "conformance/chaos", imports: "api client collector conformance/chaos/proxy dap internal/processes internal/taskfile internal/vdafspec"},
	{name: "conformance/chaos/proxy"},

	// The tests of everything together. Nothing imports them.
	{name: "conformance", imports: "*", testOnly: true},
	{name: "conformance/browser", imports: "*", testOnly: true},
	{name: "conformance/handlers", imports: "*", testOnly: true},
	{name: "conformance/simulation", imports: "*", testOnly: true},
}

// dependencies says what each package from outside the standard library is
// used for, as the packages (and those below) that may import it directly.
// A package that no row matches is forbidden.
var dependencies = []archDependency{
	{path: "github.com/cloudflare/circl/simd", users: "xof"},
	{path: "github.com/cloudflare/circl/xof", users: "xof", testOnly: true},
	{path: "github.com/cloudflare/circl", users: "dap internal/x25519 bench/peers conformance"},
	{path: "github.com/dunglas/httpsfv", users: "dap"},
	{path: "github.com/fxamacker/cbor", users: "store collector/resultstore"},
	{path: "github.com/pelletier/go-toml", users: "internal/taskfile internal/operator internal/commands/collectorcmd"},
	{path: "github.com/rogpeppe/go-internal", users: "*", testOnly: true},
	{path: "github.com/schollz/progressbar", users: "internal/commands/clientcmd"},
	{path: "github.com/spf13/cobra", users: "internal/cli internal/commands internal/commands/aggregatorcmd internal/commands/clientcmd internal/commands/collectorcmd cmd/demo bench/load bench/peers conformance/chaos"},
	{path: "github.com/getkin/kin-openapi", users: "collector/web", testOnly: true},
	{path: "github.com/gin-gonic/gin", users: "api collector/web"},
	{path: "github.com/prometheus/client_golang", users: "aggregator api internal/operator collector/web"},
	{path: "github.com/prometheus/common", users: "collector/web"},
	{path: "go.etcd.io/bbolt", users: "store collector/resultstore conformance/simulation"},
	{path: "golang.org/x/crypto/cryptobyte", users: "dap internal/taskfile internal/operator"},
	{path: "golang.org/x/net/html", users: "collector/page", testOnly: true},
	{path: "golang.org/x/sys/cpu", users: "field internal/x25519 xof"},
	{path: "golang.org/x/term", users: "internal/commands/clientcmd internal/commands/collectorcmd cmd/demo"},
	{path: "github.com/chromedp", users: "internal/browser collector/page conformance/browser", testOnly: true},
	{path: "gonum.org/v1/plot", users: "collector/chart"},
	{path: "pgregory.net/rapid", users: "*", testOnly: true},
}

// bans lists what packages must not import, neither directly nor, where the
// ban is transitive, through others. Tests are free of bans.
var bans = []archBan{
	// No hashing and no input or output in the mathematics' base.
	{rows: "field", packages: "crypto hash io os net"},
	// No hashing in the proofs: their randomness comes from above.
	{rows: "flp", packages: "crypto hash io os net"},
	// Nor in the noise: random bits come from the caller.
	{rows: "dp", packages: "crypto hash os net"},
	{rows: "xof vdaf vdaf/pingpong", packages: "os net"},
	// The mathematics and the protocol know no HTTP, not even through others. The engine and
	// the store may reach it only through the library that they count metrics with.
	{rows: "field xof flp vdaf vdaf/pingpong dap", packages: "net/http", transitive: true},
	{rows: "aggregator store", packages: "net/http"},
	// HTTP's router is api's, and the database is the store's.
	{rows: "field xof flp vdaf vdaf/pingpong dap aggregator store", packages: "github.com/gin-gonic/gin", transitive: true},
	{rows: "field xof flp vdaf vdaf/pingpong dap aggregator", packages: "go.etcd.io/bbolt", transitive: true},
	// The Collector's service is neither HTTP's nor the database's.
	{rows: "collector/service", packages: "github.com/gin-gonic/gin go.etcd.io/bbolt", transitive: true},
}
