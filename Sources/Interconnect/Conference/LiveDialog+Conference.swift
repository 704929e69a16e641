import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Synchronization
import XMLBodies

/// The focus of a conversation of several users (RFC 4579): who is in it is told to those who subscribe to it (RFC 4575).
extension LiveDialog {
    static let conferencePackage = "conference"

    /// Names one of the subscriptions within a conversation.
    struct WatchKey: Hashable, Sendable {
        let dialog: DialogID
        let event: EventKey
    }

    struct Watch: Sendable {
        var machine: ConferenceWatch
        /// Its own; nil for one within the call's.
        var dialog: Dialog?
        let event: EventKey
        var flow: Flow?
    }

    /// Whether this side is the focus: with three users it is, and it stays so.
    var isFocus: Bool { focus.withLock { $0 } }

    /// Who is in the conversation has changed: with a third one this side becomes its focus, and says so.
    func convene() async {
        let count = state.withLock { $0.machine.role == .host ? $0.machine.participants.count : 0 }
        let isNews = focus.withLock { focus in
            defer { focus = focus || count > 2 }
            return count > 2 && !focus
        }
        if isNews { renegotiate(.refresh) }
        if isFocus { await keep() }
    }

    /// The conversation's own address, as its focus has it.
    var conference: String {
        let contact = running.contact
        let uri = contact.drop { $0 != "<" }.dropFirst().prefix { $0 != ">" }
        guard let colon = uri.firstIndex(of: ":") else { return contact }
        return "\(uri[...colon])\(key.session)@\(uri[uri.index(after: colon)...])"
    }

    /// Where requests within the call are to go, and what this side is in it.
    var contact: String {
        isFocus
            ? "<\(conference)>;isfocus;\(Requests.Service.session.tag)"
            : "\(running.contact);\(Requests.Service.session.tag)"
    }

    /// Takes a SUBSCRIBE of the user at the other end.
    func subscribe(_ request: PeerRequest) async throws {
        guard let event = try EventKey(request.message), event.package == Self.conferencePackage else {
            return request.respond(489, headers: [("Allow-Events", Self.conferencePackage)])
        }
        guard Self.isAccepted(by: request.message) else {
            return request.respond(406, headers: [(.accept, ConferenceInfo.contentType)])
        }
        let wanted = request.message.expires ?? ConferenceWatch.longestSeconds
        let seconds = min(wanted, ConferenceWatch.longestSeconds)
        guard seconds == 0 || seconds >= ConferenceWatch.shortestSeconds else {
            return request.respond(423, headers: [("Min-Expires", "\(ConferenceWatch.shortestSeconds)")])
        }
        let flow = try await request.flow
        guard let status = try take(request, event, seconds, flow) else {
            request.respond(200, headers: [(.expires, "\(seconds)"), (.contact, contact)])
            return tellWatches()
        }
        request.respond(status)
    }

    /// - Returns: why not; nil when it is taken.
    private func take(
        _ request: PeerRequest,
        _ event: EventKey,
        _ seconds: UInt32,
        _ flow: Flow
    ) throws -> SIPStatus? {
        let isWithin = try request.message.to().tag != nil
        guard let id = isWithin ? try request.message.dialogIDAtServer() : try request.dialogID() else { return 481 }
        let key = WatchKey(dialog: id, event: event)
        let own = isWithin ? nil : try request.dialog()
        return try state.withLock { state in
            guard !state.isOver else { return 481 }
            let isInCall = state.dialog?.id == id
            if isInCall, try state.dialog?.received(request: request.message) != .accept { return 500 }
            if var watch = state.watches[key] {
                if !isInCall, try watch.dialog?.received(request: request.message) != .accept { return 500 }
                try watch.dialog?.refreshTarget(from: request.message)
                watch.flow = flow
                guard watch.machine.refresh(seconds: seconds, now: .now()) else { return 481 }
                state.watches[key] = watch
                return nil
            }
            guard isInCall || !isWithin else { return 481 }
            guard state.watches.count < InterconnectLimits.watches else { return 403 }
            let machine = ConferenceWatch(seconds: seconds, now: .now())
            state.watches[key] = Watch(machine: machine, dialog: own, event: event, flow: flow)
            return nil
        }
    }

    private static func isAccepted(by request: SIPMessage) -> Bool {
        guard request.contains(.accept) else { return true }
        let types = (try? request.list(.accept, as: MediaType.self))?.map { $0.essence.lowercased() } ?? []
        return types.contains { [ConferenceInfo.contentType, "application/*", "*/*"].contains($0) }
    }

    /// Tells the subscribers what there is to tell.
    func tellWatches() {
        guard state.withLock({ !$0.watches.isEmpty }) else { return }
        notify { watch, state, now in watch.next(state, now: now) }
        schedule()
    }

    /// Tells them that there will be nothing any more; before the call's dialog ends.
    func dismissWatches(_ reason: SubscriptionState.Reason = .noresource) {
        guard state.withLock({ !$0.watches.isEmpty }) else { return }
        notify { watch, _, _ in watch.end(reason) }
    }

    private func notify(_ next: (inout ConferenceWatch, ConferenceState, NIODeadline) -> ConferenceWatch.Notification?)
    {
        let conference = conference
        let contact = contact
        let all: [(key: WatchKey, request: SIPMessage, flow: Flow?)] = state.withLock { state in
            var all: [(WatchKey, SIPMessage, Flow?)] = []
            let now = NIODeadline.now()
            let content = state.machine.conference
            for (key, known) in state.watches {
                var watch = known
                let news = next(&watch.machine, content, now)
                if let news, var request = Self.makeNotify(&watch, &state) {
                    request.append(.event, watch.event.text)
                    request.append(.subscriptionState, news.state.description)
                    request.append(.contact, contact)
                    if let content = news.content {
                        let document = content.document(of: conference, news.version)
                        request.setBody(ByteBuffer(bytes: document), contentType: ConferenceInfo.contentType)
                    }
                    all.append((key, request, watch.flow))
                }
                state.watches[key] = watch.machine.isOver ? nil : watch
            }
            return all
        }
        for (key, request, flow) in all { send(request, on: flow, of: key) }
    }

    private static func makeNotify(_ watch: inout Watch, _ state: inout State) -> SIPMessage? {
        if watch.dialog != nil { return try? watch.dialog?.makeRequest(.notify) }
        return try? state.dialog?.makeRequest(.notify)
    }

    private func send(_ request: SIPMessage, on flow: Flow?, of key: WatchKey) {
        running.stack.post(request, on: flow, to: peer) { [self] response in
            let seconds = (try? response?.value(.retryAfter, as: RetryAfter.self))?.seconds
            let goesOn = state.withLock { state in
                guard var watch = state.watches[key] else { return false }
                watch.machine.answered(response?.status, retryAfter: seconds, now: .now())
                state.watches[key] = watch.machine.isOver ? nil : watch
                return true
            }
            // There may be news since.
            if goesOn { tellWatches() }
        }
    }
}

extension Answering {
    /// A user of a peer wants to know who is in a conversation: one that the user takes part in, and this side is the
    /// focus of.
    func subscribe(_ request: PeerRequest) async throws {
        let sender = try Requests.sender(of: request.message, domains: request.domains)
        guard let name = try request.message.requestURI().sip?.user, let session = try? SessionID(name),
            let live = interconnect.focus(of: session, for: sender)
        else { return request.respond(try request.message.to().tag == nil ? 404 : 481) }
        try await live.subscribe(request)
    }
}

extension Interconnect {
    /// The conversation of that name, with one of its users.
    func dialog(of session: SessionID, with user: Address) -> LiveDialog? {
        dialogs(of: session).first { $0.key.other == user }
    }

    /// The conversation of that name, as far as it has a user at another provider and three in all.
    func focus(of session: SessionID, for user: Address) -> LiveDialog? {
        dialogs(of: session).first { $0.key.other == user && $0.isFocus }
    }
}
