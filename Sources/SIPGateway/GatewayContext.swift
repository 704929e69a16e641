import ClientWire
import FoundationEssentials
import Logging
import MediaRelaying
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import Store

/// What everything on the gateway's loop shares.
final class GatewayContext {
    let service: MessagingService
    let configuration: SIPGatewayConfiguration
    let logger: Logger
    let eventLoop: any EventLoop
    let inbox: LoopInbox
    /// Set once, before the first request.
    var stack: SIPStack?
    /// What carries media between phones and browsers; set once, before the first request, if there is one.
    var relay: MediaRelay?
    /// The dialogs of all phones' calls: an ACK says nothing else of where it belongs.
    var dialogs: [DialogID: PhoneCall] = [:]
    /// Where the texts of conversations flow; set once, before the first request, if anywhere.
    var texts: TextMedia?
    /// Calls that are being joined: who is asked into a session, in place of that other one.
    var joins: [SessionID: SessionID] = [:]
    /// The dialogs of all phones' texts.
    var textDialogs: [DialogID: PhoneTexts] = [:]
    /// Dialogs that were, for who would replace one of them.
    var endedDialogs: EndedDialogs

    private var lastFrame: (bytes: [UInt8], frame: ServerFrame)?

    var limits: SIPGatewayLimits { configuration.limits }

    init(
        service: MessagingService,
        configuration: SIPGatewayConfiguration,
        logger: Logger,
        eventLoop: any EventLoop
    ) {
        self.service = service
        self.configuration = configuration
        self.logger = logger
        self.eventLoop = eventLoop
        inbox = LoopInbox(eventLoop)
        endedDialogs = EndedDialogs(capacity: configuration.limits.dialogsRemembered)
    }

    /// Reads a frame of a device's stream; the phones of one user get the same one after another.
    func decode(_ bytes: [UInt8]) throws -> ServerFrame {
        if let lastFrame, lastFrame.bytes == bytes { return lastFrame.frame }
        let frame = try StrictJSON.decode(ServerFrame.self, from: Data(bytes))
        lastFrame = (bytes, frame)
        return frame
    }

    /// The name or address by which a peer on this flow reaches us.
    func host(_ flow: Flow) -> String { configuration.publicHost ?? address(flow) }

    /// The address that stands in descriptions of calls, in which not every phone looks up a name.
    func address(_ flow: Flow?) -> String {
        if let host = configuration.publicHost, (try? SocketAddress(ipAddress: host, port: 0)) != nil { return host }
        return flow?.local.ipAddress ?? "127.0.0.1"
    }

    /// Where a peer on this flow reaches us.
    func contact(_ flow: Flow) -> String {
        let host = Host.bracketed(host(flow))
        let port = flow.local.port.map { ":\($0)" } ?? ""
        return "<sip:\(host)\(port);transport=\(flow.transport.rawValue.lowercased())>"
    }
}
