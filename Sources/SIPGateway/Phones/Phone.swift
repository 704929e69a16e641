import CPIM
import ClientWire
import Logging
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// One SIP phone that is registered: its bindings, its stream of the mailbox, and what is on its way to it.
///
/// `@unchecked Sendable`: touched on the gateway's loop alone, where its session calls it too.
final class Phone: DeviceLink, @unchecked Sendable {
    let context: GatewayContext
    let identity: DeviceIdentity
    let user: String
    var record: RegistrarRecord
    private(set) var address: Address
    /// How it writes that: most registrations say it in the same way.
    var addressURI: URI?
    /// All addresses of the account, as of the last REGISTER.
    var addresses: [Address]
    private(set) var capabilities: Capabilities
    private(set) var kind: DeviceKind
    /// What each binding's REGISTER came over, by the name that the bindings have of it.
    private(set) var flows: [String: Flow] = [:]
    let subscriptions: Subscriptions
    /// The phones of its account on this gateway.
    let directory: PhoneDirectory
    /// Its live conversations.
    private(set) lazy var talks = Talks(context, identity, phone: self)
    var session: DeviceSession?
    var reading: StreamReading
    var queue: PhoneQueue
    var waiting: Scheduled<Void>?
    /// When the stream is opened again, which broke while the phone is registered.
    var reopenDue: NIODeadline?
    let tag = RandomText.token(12)
    var lastSequence: UInt32 = 0
    /// A transaction of an earlier stream says nothing to the one that came after it.
    var generation = 0
    var reported = RecentReports()
    /// What it took lately: a message that was touched since may come in the stream once more, and is no news.
    var took = RecentMessages()

    init(
        _ context: GatewayContext,
        _ phone: PhoneRecord,
        addressOfRecord: SIPURI,
        address: Address,
        directory: PhoneDirectory
    ) {
        self.context = context
        self.address = address
        addresses = phone.addresses
        identity = phone.credential.identity
        user = phone.credential.user
        capabilities = phone.device.capabilities
        kind = phone.device.kind
        record = RegistrarRecord(addressOfRecord: addressOfRecord)
        let limits = context.limits
        self.directory = directory
        subscriptions = Subscriptions(context, identity, directory)
        reading = StreamReading(resetMessages: limits.resetMessages)
        queue = PhoneQueue(
            firstWaitSeconds: limits.retryFirstSeconds,
            longestWaitSeconds: limits.retryLongestSeconds,
            waitingSteps: limits.waitingSteps
        )
        reported = RecentReports(capacity: limits.reportsRemembered)
        took = RecentMessages(capacity: limits.messagesRemembered)
    }

    /// What it can do in a call.
    var abilities: Set<MediumKind> {
        Set([MediumKind.audio, .video].filter { capabilities.features.contains($0.rawValue) })
    }

    /// It takes what is said in conversations over MSRP, and the gateway has a door for that.
    var takesTexts: Bool {
        guard capabilities.features.contains(PhoneAbilities.msrp), let media = context.texts,
            let flow = target(now: .now())?.flow
        else { return false }
        return media.serves(isSecure: flow.transport.isSecure)
    }

    /// What it rings for.
    var rings: Set<MediumKind> { takesTexts ? abilities.union([.text]) : abilities }

    /// Nothing is left of it: no registration, and no call that goes on without one for a while.
    var isGone: Bool { record.bindings.isEmpty && !talks.holdsCalls }

    var takesCPIM: Bool { capabilities.features.contains(PhoneAbilities.cpim) }
    var isOpen: Bool { session != nil }

    // MARK: Registration

    /// A REGISTER that is authenticated. One credential is one device: another instance takes the place of the first.
    func register(
        _ request: SIPMessage,
        _ policy: RegistrarRecord.Policy,
        on flow: Flow,
        now: NIODeadline
    ) -> SIPMessage {
        let read = try? request.contacts()
        let contacts = read?.addresses ?? []
        var next = record
        if !contacts.contains(where: { policy.lease(of: $0, in: request) > 0 }) {
            // Who only leaves takes nobody's place.
        } else if let instance = contacts.first(where: { $0.instance != nil })?.instance {
            let own = record.bindings.filter { $0.instance == instance }
            next = RegistrarRecord(addressOfRecord: record.addressOfRecord, bindings: own)
        } else {
            // Without an instance a new address is the same phone after a restart or a change of networks.
            let own = record.bindings.filter { binding in
                contacts.contains { $0.uri.isEquivalent(to: binding.contact.uri) }
            }
            next = RegistrarRecord(addressOfRecord: record.addressOfRecord, bindings: own)
        }
        let name = flow.description
        let arrival = RegistrarRecord.Arrival(
            now: now,
            flow: name,
            temporaryGRUU: RandomText.token(24),
            contacts: read
        )
        switch next.register(request, policy: policy, arrival: arrival) {
        case .rejected(let response): return response
        case .accepted(let response, _):
            record = next
            flows = flows.filter { name, _ in record.bindings.contains { $0.flow == name } }
            if record.bindings.contains(where: { $0.flow == name }) { flows[name] = flow }
            return response
        }
    }

    /// Bindings that ran out.
    func expire(now: NIODeadline) {
        guard !record.expire(now: now).isEmpty else { return }
        if record.bindings.isEmpty { leave(endsLease: true) }
    }

    /// A connection is gone.
    func flowFailed(_ flow: Flow) {
        guard flows.removeValue(forKey: flow.description) != nil else { return }
        _ = record.flowFailed(flow.description)
        if record.bindings.isEmpty { leave(endsLease: false) }
    }

    /// After a REGISTER was answered: the stream opens, or goes on, or ends.
    func registered(address: Address, features: PhoneFeatures?, now: NIODeadline) {
        self.address = address
        guard !record.bindings.isEmpty else { return leave(endsLease: true) }
        if let features { take(features) }
        if let session {
            session.renew(leaseEnds: leaseEnds(now))
            perform(queue.timeReached())
        } else {
            open(now: now)
        }
    }

    private func leaseEnds(_ now: NIODeadline) -> MessagingCore.Timestamp {
        let seconds = record.bindings.map { $0.remaining(at: now) }.max() ?? 0
        return context.service.now.advanced(by: Int64(seconds) * 1000)
    }

    private func open(now: NIODeadline) {
        halt()
        reading = StreamReading(resetMessages: context.limits.resetMessages)
        session = context.service.openSession(
            of: identity,
            link: self,
            inbox: context.inbox,
            window: WindowLimits(items: context.limits.windowItems, bytes: context.limits.windowBytes),
            leaseEnds: leaseEnds(now)
        )
        talks.begin()
    }

    /// It registers no more.
    func leave(endsLease: Bool) {
        stop()
        if endsLease { context.service.setLease(identity, endsAt: context.service.now) }
    }

    /// What is on its way is of a stream that is no more.
    func halt() {
        generation += 1
        waiting?.cancel()
        waiting = nil
        reopenDue = nil
        queue.clear()
    }

    func stop() {
        halt()
        subscriptions.stop()
        let old = session
        session = nil
        old?.closed()
    }

    private func take(_ features: PhoneFeatures) {
        guard features.capabilities != capabilities || (features.kind ?? kind) != kind else { return }
        capabilities = features.capabilities
        kind = features.kind ?? kind
        var change = DeviceChange()
        change.capabilities = capabilities
        change.kind = kind
        changeDevice(change)
    }

    /// The phone showed that it takes CPIM, or that it does not.
    func learn(takesCPIM: Bool) {
        guard takesCPIM != self.takesCPIM else { return }
        capabilities.features.removeAll { $0 == PhoneAbilities.cpim }
        if takesCPIM { capabilities.features.append(PhoneAbilities.cpim) }
        var change = DeviceChange()
        change.capabilities = capabilities
        changeDevice(change)
    }

    /// What it describes, it can do.
    func learn(_ description: SessionDescription) {
        if let change = learnt(description) { changeDevice(change) }
    }

    /// As above, for who sees to it that the change is known before something else is asked; nil when it is.
    func learnt(_ description: SessionDescription) -> DeviceChange? {
        let new = description.kinds.filter { !abilities.contains($0) }
        guard !new.isEmpty else { return nil }
        capabilities.features += new.map(\.rawValue)
        var change = DeviceChange()
        change.capabilities = capabilities
        return change
    }

    private func changeDevice(_ change: DeviceChange) {
        // Before whatever it, or somebody else, asks for next: a call right after its registration finds what it can do.
        context.service.changeDevice(identity, identity.device, change) { [logger = context.logger] result in
            guard case .failure(let error) = result else { return }
            logger.warning("noting what a phone can do failed", metadata: ["error": "\(type(of: error))"])
        }
    }

    /// About once a second.
    func tick(now: NIODeadline) {
        expire(now: now)
        if let reopenDue, reopenDue <= now, !record.bindings.isEmpty { open(now: now) }
        session?.tick()
        subscriptions.tick(now: now)
        talks.tick(now: now)
    }
}
