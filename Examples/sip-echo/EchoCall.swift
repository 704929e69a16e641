import NIOCore
import SIP
import SIPTransport

/// One call of the echo: a dialog, the gate for re-INVITEs, and the 2xx that waits for its ACK.
struct EchoCall {
    var dialog: Dialog
    var gate = ModificationGate()
    var invite: ServerTransaction
    var success: SuccessRetransmission?
    var lastSuccess: SIPMessage?
}
