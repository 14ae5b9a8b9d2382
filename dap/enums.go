package dap

import "fmt"

// Role is a role of a protocol participant (DAP Section 4.1).
type Role uint8

// The roles.
const (
	RoleCollector Role = 0
	RoleClient    Role = 1
	RoleLeader    Role = 2
	RoleHelper    Role = 3
)

// String returns the standard's name of the role.
func (r Role) String() string {
	switch r {
	case RoleCollector:
		return "collector"
	case RoleClient:
		return "client"
	case RoleLeader:
		return "leader"
	case RoleHelper:
		return "helper"
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// IsAggregator tells whether the role is that of the Leader or the Helper.
func (r Role) IsAggregator() bool { return r == RoleLeader || r == RoleHelper }

// ReportError is why a single report was refused (DAP Section 4.1). Zero is
// reserved by the standard; functions of this package use it for "no error".
type ReportError uint8

// The report errors.
const (
	ReportErrorBatchCollected      ReportError = 1
	ReportErrorReportReplayed      ReportError = 2
	ReportErrorReportDropped       ReportError = 3
	ReportErrorHpkeUnknownConfigID ReportError = 4
	ReportErrorHpkeDecryptError    ReportError = 5
	ReportErrorVdafVerifyError     ReportError = 6
	ReportErrorTaskExpired         ReportError = 7
	ReportErrorInvalidMessage      ReportError = 8
	ReportErrorReportTooEarly      ReportError = 9
	ReportErrorTaskNotStarted      ReportError = 10
	ReportErrorOutdatedConfig      ReportError = 11
)

var reportErrorNames = [...]string{
	ReportErrorBatchCollected:      "batch_collected",
	ReportErrorReportReplayed:      "report_replayed",
	ReportErrorReportDropped:       "report_dropped",
	ReportErrorHpkeUnknownConfigID: "hpke_unknown_config_id",
	ReportErrorHpkeDecryptError:    "hpke_decrypt_error",
	ReportErrorVdafVerifyError:     "vdaf_verify_error",
	ReportErrorTaskExpired:         "task_expired",
	ReportErrorInvalidMessage:      "invalid_message",
	ReportErrorReportTooEarly:      "report_too_early",
	ReportErrorTaskNotStarted:      "task_not_started",
	ReportErrorOutdatedConfig:      "outdated_config",
}

// IsKnown tells whether the standard defines the report error; the reserved
// value 0 is not one.
func (e ReportError) IsKnown() bool {
	return e >= ReportErrorBatchCollected && e <= ReportErrorOutdatedConfig
}

// String returns the standard's name of the report error.
func (e ReportError) String() string {
	if !e.IsKnown() {
		return fmt.Sprintf("ReportError(%d)", uint8(e))
	}
	return reportErrorNames[e]
}

// BatchMode is how a task's reports are put into batches (DAP Section 5).
type BatchMode uint8

// The batch modes.
const (
	BatchModeTimeInterval   BatchMode = 1
	BatchModeLeaderSelected BatchMode = 2
)

// IsKnown tells whether the standard defines the batch mode.
func (m BatchMode) IsKnown() bool {
	return m == BatchModeTimeInterval || m == BatchModeLeaderSelected
}

// String returns the standard's name of the batch mode.
func (m BatchMode) String() string {
	switch m {
	case BatchModeTimeInterval:
		return "time_interval"
	case BatchModeLeaderSelected:
		return "leader_selected"
	}
	return fmt.Sprintf("BatchMode(%d)", uint8(m))
}

// VerifyRespType is the type of a VerifyResp (DAP Section 4.5.3.2).
type VerifyRespType uint8

// The types of a VerifyResp.
const (
	VerifyRespContinue VerifyRespType = 0
	VerifyRespFinish   VerifyRespType = 1
	VerifyRespReject   VerifyRespType = 2
)

// String returns the standard's name of the type.
func (t VerifyRespType) String() string {
	switch t {
	case VerifyRespContinue:
		return "continue"
	case VerifyRespFinish:
		return "finish"
	case VerifyRespReject:
		return "reject"
	}
	return fmt.Sprintf("VerifyRespType(%d)", uint8(t))
}
