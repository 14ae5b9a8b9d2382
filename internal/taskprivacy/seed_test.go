package taskprivacy

import _ "github.com/twofold-dap/twofold/internal/fixedseed" // the property tests draw the same in every run
