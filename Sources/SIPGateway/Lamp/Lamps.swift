import Logging
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import Store

/// The subscriptions of one phone to its message summary (RFC 3842): what lights its lamp.
///
/// Belongs to the gateway's loop.
final class Lamps: @unchecked Sendable {
    private struct Watch {
        var dialog: Dialog
        var machine: NotifierMachine
        var event: EventKey
        var flow: Flow
        var said: Int?
    }

    private let context: GatewayContext
    private let identity: DeviceIdentity
    private var watches: [DialogID: Watch] = [:]
    private var account = ""
    private var unread: Int?
    private var isDirty = false
    private var isCounting = false

    static let package = "message-summary"

    init(_ context: GatewayContext, _ identity: DeviceIdentity) {
        self.context = context
        self.identity = identity
    }

    /// A SUBSCRIBE of this phone, outside of a dialog or in one of its own.
    func subscribe(_ transaction: ServerTransaction, account: String, now: NIODeadline) {
        let request = transaction.request
        self.account = account
        let longest = context.limits.subscriptionMaximumSeconds
        let seconds = min(request.expires ?? longest, longest)
        if let id = try? request.dialogIDAtServer() {
            return refresh(transaction, id, seconds, now)
        }
        guard watches.count < context.limits.subscriptionsPerPhone else {
            transaction.respond(transaction.makeResponse(403, reason: "Too many subscriptions"))
            return
        }
        guard let event = try? EventKey(request),
            let dialog = try? Dialog(server: request, localTag: transaction.localTag, state: .confirmed)
        else {
            transaction.respond(400)
            return
        }
        accept(transaction, seconds)
        let machine = NotifierMachine(expires: seconds, isAuthorised: true, now: now)
        watches[dialog.id] = Watch(dialog: dialog, machine: machine, event: event, flow: transaction.flow)
        count(thenTell: dialog.id)
    }

    private func refresh(_ transaction: ServerTransaction, _ id: DialogID, _ seconds: UInt32, _ now: NIODeadline) {
        guard var watch = watches[id], (try? watch.dialog.received(request: transaction.request)) == .accept else {
            transaction.respond(481)
            return
        }
        try? watch.dialog.refreshTarget(from: transaction.request)
        watch.flow = transaction.flow
        let action = watch.machine.refreshed(expires: seconds, now: now)
        watches[id] = watch
        guard case .notify = action else {
            transaction.respond(481)
            return
        }
        accept(transaction, seconds)
        count(thenTell: id)
    }

    private func accept(_ transaction: ServerTransaction, _ seconds: UInt32) {
        var response = transaction.makeResponse(200)
        response.copyRecordRoute(from: transaction.request)
        response.append(.expires, "\(seconds)")
        response.append(.contact, context.contact(transaction.flow))
        transaction.respond(response)
    }

    /// Messages came, or were read or deleted; told with the next tick.
    func changed() { isDirty = true }

    func tick(now: NIODeadline) {
        for (id, var watch) in watches where (watch.machine.deadline ?? .distantFuture) <= now {
            let action = watch.machine.timeReached(now)
            watches[id] = watch
            if case .notify(let state) = action { notify(id, state) }
        }
        guard isDirty, !watches.isEmpty, !isCounting else { return }
        isDirty = false
        count(thenTell: nil)
    }

    func stop() { watches = [:] }

    /// - Parameter id: told in any case; the others if the number is another one.
    private func count(thenTell id: DialogID?) {
        isCounting = true
        Task { [service = context.service, inbox = context.inbox, identity, self] in
            let count = try? await service.unreadCount(identity)
            inbox.post { self.counted(count, id) }
        }
    }

    private func counted(_ count: Int?, _ asked: DialogID?) {
        isCounting = false
        if let count { unread = count }
        let now = NIODeadline.now()
        for (id, watch) in watches where id == asked || watch.said != unread {
            let action = id == asked ? watch.machine.firstNotification(now: now) : watch.machine.changed(now: now)
            if case .notify(let state) = action { notify(id, state) }
        }
    }

    private func notify(_ id: DialogID, _ state: SubscriptionState) {
        guard var watch = watches[id], var request = try? watch.dialog.makeRequest(.notify) else { return }
        let count = unread ?? 0
        let summary = MessageSummary(
            isWaiting: count > 0,
            account: account,
            counts: [
                "text-message": MessageSummary.Count(new: UInt32(count), old: 0),
                // What most desk phones look at.
                "voice-message": MessageSummary.Count(new: UInt32(count), old: 0),
            ]
        )
        request.append(.event, watch.event.text)
        request.append(.subscriptionState, state.description)
        request.append(.contact, context.contact(watch.flow))
        request.setBody(summary.body, contentType: "application/simple-message-summary")
        watch.said = unread
        watches[id] = state.value == .terminated ? nil : watch
        context.stack?.send(request, to: .flow(watch.flow)) { [weak self] _, event in
            guard let self, let status = Self.failure(event), var watch = self.watches[id] else { return }
            _ = watch.machine.notifyFailed(status)
            self.watches[id] = watch.machine.state == .terminated ? nil : watch
        }
    }

    private static func failure(_ event: ClientTransaction.Event) -> SIPStatus? {
        switch event {
        case .timedOut, .transportFailed: 408
        case .response(let response): response.status.flatMap { $0.isFinal && !$0.isSuccess ? $0 : nil }
        }
    }
}
