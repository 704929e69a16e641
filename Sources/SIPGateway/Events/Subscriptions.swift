import ClientWire
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import Store
import XMLBodies

/// The subscriptions of one phone: its lamp, the account's devices, the account's conversations.
///
/// What changed is only a hint to read anew, and what was read is told when it is other than what was said last, with a
/// pause between: a phone is never told more often than its package allows.
///
/// Belongs to the gateway's loop.
final class Subscriptions: @unchecked Sendable {
    private struct Watch {
        var dialog: Dialog
        var machine: NotifierMachine
        let package: EventPackage
        let event: EventKey
        var flow: Flow
        var said: EventState?
        var version: UInt64 = 0
        /// A SUBSCRIBE was answered, and its NOTIFY has not been sent.
        var isOwed = true
        /// A NOTIFY has no answer yet.
        var isUnanswered = false
        var notBefore = NIODeadline.uptimeNanoseconds(0)
    }

    private let context: GatewayContext
    private let identity: DeviceIdentity
    private var watches: [DialogID: Watch] = [:]
    private var account: SIPURI?
    private var known: [EventPackage: EventState] = [:]
    private var dirty: Set<EventPackage> = []
    private var reading: Set<EventPackage> = []
    private var readAgain: [EventPackage: NIODeadline] = [:]
    /// Tells what is known of a phone of this account on this gateway.
    private let phones: PhoneDirectory

    init(_ context: GatewayContext, _ identity: DeviceIdentity, _ phones: PhoneDirectory) {
        self.context = context
        self.identity = identity
        self.phones = phones
    }

    // MARK: Subscribing

    /// A SUBSCRIBE of this phone, outside of a dialog or in one of its own.
    ///
    /// - Parameter address: the phone's own, which is all that it may watch.
    func subscribe(_ transaction: ServerTransaction, address: Address, account: SIPURI, now: NIODeadline) {
        let request = transaction.request
        self.account = account
        let longest = context.limits.subscriptionMaximumSeconds
        let seconds = min(request.expires ?? longest, longest)
        if let id = try? request.dialogIDAtServer() { return refresh(transaction, id, seconds, now) }
        guard let event = try? EventKey(request), let package = EventPackage(rawValue: event.package) else {
            transaction.respond(489)
            return
        }
        guard let target = request.uriText, (try? Address(target)) == address else {
            transaction.respond(transaction.makeResponse(403, reason: "Not your address"))
            return
        }
        guard watches.count < context.limits.subscriptionsPerPhone else {
            transaction.respond(transaction.makeResponse(403, reason: "Too many subscriptions"))
            return
        }
        guard package.isAccepted(by: request) else {
            transaction.respond(406)
            return
        }
        guard let dialog = try? Dialog(server: request, localTag: transaction.localTag, state: .confirmed) else {
            transaction.respond(400)
            return
        }
        accept(transaction, seconds)
        let machine = NotifierMachine(expires: seconds, isAuthorised: true, now: now)
        watches[dialog.id] = Watch(
            dialog: dialog,
            machine: machine,
            package: package,
            event: event,
            flow: transaction.flow
        )
        read(package)
    }

    private func refresh(_ transaction: ServerTransaction, _ id: DialogID, _ seconds: UInt32, _ now: NIODeadline) {
        guard var watch = watches[id], (try? watch.dialog.received(request: transaction.request)) == .accept else {
            transaction.respond(481)
            return
        }
        try? watch.dialog.refreshTarget(from: transaction.request)
        watch.flow = transaction.flow
        guard case .notify = watch.machine.refreshed(expires: seconds, now: now) else {
            transaction.respond(481)
            return
        }
        watch.isOwed = true
        watches[id] = watch
        accept(transaction, seconds)
        read(watch.package)
    }

    private func accept(_ transaction: ServerTransaction, _ seconds: UInt32) {
        var response = transaction.makeResponse(200)
        response.copyRecordRoute(from: transaction.request)
        response.append(.expires, "\(seconds)")
        response.append(.contact, context.contact(transaction.flow))
        transaction.respond(response)
    }

    // MARK: What changes

    /// Something of the package may be other than it was; told with the next tick.
    func changed(_ package: EventPackage) { dirty.insert(package) }

    /// About once a second.
    func tick(now: NIODeadline) {
        for (id, var watch) in watches where (watch.machine.deadline ?? .distantFuture) <= now {
            let action = watch.machine.timeReached(now)
            watches[id] = watch
            if case .notify(let state) = action { notify(id, state, now) }
        }
        for package in Set(watches.values.map(\.package)) {
            // Registrations run out without a change of the mailbox.
            let isDue = package != .messageSummary && (readAgain[package] ?? now) <= now
            if isDue || dirty.contains(package) { read(package) } else { tell(package, now) }
        }
    }

    func stop() {
        watches = [:]
        known = [:]
        dirty = []
    }

    private func read(_ package: EventPackage) {
        guard !reading.contains(package), let account else {
            dirty.insert(package)
            return
        }
        reading.insert(package)
        dirty.remove(package)
        readAgain[package] = .now() + .seconds(context.limits.eventPollSeconds)
        Task { [service = context.service, inbox = context.inbox, identity, self] in
            let found = try? await Self.read(package, service, identity)
            inbox.post { self.found(found, package, account) }
        }
    }

    /// What was read, before what this gateway alone knows is put to it.
    private enum Found: Sendable {
        case unread(Int)
        case devices([DeviceStatus])
        case sessions([SessionDocument])
    }

    private static func read(
        _ package: EventPackage,
        _ service: MessagingService,
        _ identity: DeviceIdentity
    ) async throws -> Found {
        switch package {
        case .messageSummary: .unread(try await service.unreadCount(identity))
        case .registrations:
            .devices(try await service.devices(identity.account, asking: identity.device).devices)
        case .dialogs: .sessions(try await service.sessions(identity).sessions)
        }
    }

    private func found(_ found: Found?, _ package: EventPackage, _ account: SIPURI) {
        reading.remove(package)
        switch found {
        case .unread(let count): known[package] = .messageSummary(unread: count)
        case .devices(let devices):
            let registered = devices.reduce(into: [DeviceID: RegisteredPhone]()) { registered, status in
                registered[status.device.id] = phones.registered(identity.of(status.device.id))
            }
            known[package] = .registrations(.init(devices, addressOfRecord: account, phones: registered))
        case .sessions(let sessions):
            known[package] = .dialogs(
                DialogInfo.Dialog.all(sessions, addressOfRecord: account) { device, session in
                    phones.dialog(identity.of(device), session)
                }
            )
        case nil: dirty.insert(package)
        }
        tell(package, .now())
    }

    private func tell(_ package: EventPackage, _ now: NIODeadline) {
        guard let state = known[package] else { return }
        for (id, watch) in watches where watch.package == package {
            if watch.isOwed {
                if case .notify(let state) = watch.machine.firstNotification(now: now) { notify(id, state, now) }
            } else if watch.said != state, !watch.isUnanswered, watch.notBefore <= now,
                case .notify(let state) = watch.machine.changed(now: now)
            {
                notify(id, state, now)
            }
        }
    }

    private func notify(_ id: DialogID, _ state: SubscriptionState, _ now: NIODeadline) {
        guard var watch = watches[id], var request = try? watch.dialog.makeRequest(.notify) else { return }
        request.append(.event, watch.event.text)
        request.append(.subscriptionState, state.description)
        request.append(.contact, context.contact(watch.flow))
        if let known = known[watch.package] {
            let body = known.body(watch.version, account: account?.description ?? "")
            request.setBody(ByteBuffer(bytes: body), contentType: watch.package.contentType)
            watch.version += 1
            watch.said = known
        }
        watch.isOwed = false
        watch.isUnanswered = true
        watch.notBefore = now + .seconds(context.limits.eventPauseSeconds)
        watches[id] = state.value == .terminated ? nil : watch
        context.stack?.send(request, to: .flow(watch.flow)) { [weak self] _, event in
            guard let self, let status = event.finalStatus, var watch = self.watches[id] else { return }
            watch.isUnanswered = false
            if !status.isSuccess { _ = watch.machine.notifyFailed(status) }
            self.watches[id] = watch.machine.state == .terminated ? nil : watch
        }
    }
}

/// What the gateway knows of the phones of an account besides what is stored. Belongs to the gateway's loop.
struct PhoneDirectory: @unchecked Sendable {
    var registered: (DeviceIdentity) -> RegisteredPhone?
    /// The dialog that a phone has in a conversation, as the phone has it.
    var dialog: (DeviceIdentity, SessionID) -> DialogID?
}

extension DeviceIdentity {
    /// Another device of the same account.
    func of(_ device: DeviceID) -> DeviceIdentity { DeviceIdentity(account: account, device: device) }
}

extension ClientTransaction.Event {
    /// How the transaction ended, nil while it has not.
    var finalStatus: SIPStatus? {
        switch self {
        case .timedOut, .transportFailed: 408
        case .response(let response): response.status.flatMap { $0.isFinal ? $0 : nil }
        }
    }
}
