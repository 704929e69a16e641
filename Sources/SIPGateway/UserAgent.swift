import ClientWire
import Logging
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import Store

/// The user agent that phones talk to: it knows who is registered, checks who asks, and hands each method to its part.
///
/// `@unchecked Sendable`: belongs to the gateway's loop.
final class UserAgent: SIPStackHandler, @unchecked Sendable {
    let context: GatewayContext
    private let authenticator: Authenticator
    private(set) var phones: [DeviceIdentity: Phone] = [:]
    /// Phones that registered over a connection of their own: what comes on it needs no further proof.
    private var onConnection: [UInt64: Set<DeviceIdentity>] = [:]
    private var lookups = 0
    /// What the request that is about to get a transaction says of its sender: it is read once.
    private var opened: (flow: UInt64, claim: Authenticator.Claim)?
    /// Messages and reports that wait for their commit, of phones that are registered and of others.
    var messagesInHand: [DeviceIdentity: Int] = [:]
    /// Registered phones as they were read, by user name.
    private var records: [String: (record: PhoneRecord, until: NIODeadline)] = [:]
    static let methods: [SIPMethod] = [
        .options, .register, .message, .subscribe, .invite, .ack, .bye, .cancel, .update,
        .refer,
    ]

    private let profile: ElementProfile = {
        var profile = ElementProfile(methods: methods)
        profile.extensions = ["outbound", "path", "gruu", "timer", "replaces", "tdialog", "norefersub"]
        profile.eventPackages = EventPackage.allCases.map(\.rawValue)
        profile.acceptedTypes = nil
        profile.acceptedEncodings = ["deflate"]
        return profile
    }()

    init(_ context: GatewayContext) {
        self.context = context
        authenticator = Authenticator(context.configuration)
    }

    // MARK: Before a transaction

    func answerWithoutTransaction(_ request: SIPMessage, on flow: Flow) -> SIPMessage? {
        opened = nil
        if request.method == .options { return options(request) }
        if isKnown(request, on: flow) { return nil }
        switch authenticator.open(request, on: flow, now: .now()) {
        case .answer(let response): return response
        case .lookUp(let claim):
            opened = (flow.number, claim)
            return nil
        }
    }

    /// A connection of exactly one phone proves who speaks; a datagram's address proves nothing.
    private func known(_ flow: Flow) -> Phone? {
        guard flow.transport.isReliable, let identities = onConnection[flow.number], identities.count == 1 else {
            return nil
        }
        return identities.first.flatMap { phones[$0] }
    }

    /// What came through a proxy says nothing by its connection, which others may share.
    private func isKnown(_ request: SIPMessage, on flow: Flow) -> Bool {
        request.method != .register && Self.isDirect(request) && known(flow) != nil
    }

    private static func isDirect(_ request: SIPMessage) -> Bool { (try? request.vias().count) == 1 }

    // MARK: Requests

    func received(_ transaction: ServerTransaction) {
        let request = transaction.request
        switch profile.check(.message(request)) {
        case .discard: return
        case .respond(let response): transaction.respond(response)
        case .accept:
            if isKnown(request, on: transaction.flow), let phone = known(transaction.flow) {
                serve(transaction, phone)
            } else {
                identify(transaction)
            }
        }
    }

    /// Whoever asks, and however often: nothing is kept of it.
    private func options(_ request: SIPMessage) -> SIPMessage? {
        switch profile.check(.message(request)) {
        case .discard: return nil
        case .respond(let response): return response
        case .accept: break
        }
        var response = SIPMessage(200, to: request, toTag: RandomText.token(12))
        response.append(.allow, profile.methods.map(\.rawValue).joined(separator: ", "))
        response.append(.accept, IncomingMessage.acceptedTypes.joined(separator: ", "))
        response.append(.supported, profile.extensions.sorted().joined(separator: ", "))
        return response
    }

    private func identify(_ transaction: ServerTransaction) {
        // What was read before there was a transaction is of the same request, unless that one came to nothing.
        let opening: Authenticator.Opening
        if let (number, claim) = opened.take(), number == transaction.flow.number, claim.isOf(transaction.request) {
            opening = .lookUp(claim)
        } else {
            opening = authenticator.open(transaction.request, on: transaction.flow, now: .now())
        }
        switch opening {
        case .answer(let response): transaction.respond(response)
        case .lookUp(let claim):
            if let known = known(claim.user, now: .now()) { return found(.success(known), claim, transaction) }
            guard lookups < context.limits.lookupsInHand else { return busy(transaction) }
            lookups += 1
            let bound = NIOLoopBound(transaction, eventLoop: context.eventLoop)
            context.service.phone(user: claim.user) { [self] result in
                context.inbox.post {
                    self.lookups -= 1
                    self.found(result, claim, bound.value)
                }
            }
        }
    }

    private func found(
        _ result: Result<PhoneRecord?, any Error>,
        _ claim: Authenticator.Claim,
        _ transaction: ServerTransaction
    ) {
        guard case .success(let record) = result else { return busy(transaction) }
        if let record { remember(record, now: .now()) }
        switch authenticator.check(transaction.request, claim, record, from: transaction.flow, now: .now()) {
        case .answer(let response, let isNewBan):
            if isNewBan {
                context.logger.notice(
                    "too many wrong passwords over SIP",
                    metadata: ["source": "\(Authenticator.source(transaction.flow))"]
                )
            }
            transaction.respond(response)
        case .accepted:
            context.stack?.keep(transaction.flow)
            guard let record else { return busy(transaction) }
            if transaction.request.method == .register {
                register(transaction, record)
            } else if let phone = phones[record.credential.identity] {
                serve(transaction, phone)
            } else if transaction.request.method == .message {
                message(transaction, record.credential.identity, user: record.credential.user, phone: nil)
            } else {
                transaction.respond(transaction.makeResponse(403, reason: "Register first"))
            }
        }
    }

    /// What was read of a registered phone not long ago. One that is revoked or whose account is suspended loses its
    /// stream at once, and is looked up again.
    func known(_ user: String, now: NIODeadline) -> PhoneRecord? {
        guard let known = records[user], known.until > now, phones[known.record.credential.identity]?.isOpen ?? false
        else { return nil }
        return known.record
    }

    private func remember(_ record: PhoneRecord, now: NIODeadline) {
        let user = record.credential.user
        guard phones[record.credential.identity] != nil, records[user]?.until ?? .distantPast <= now else { return }
        records[user] = (record, now + .seconds(context.limits.recordSeconds))
    }

    func busy(_ transaction: ServerTransaction) {
        var response = transaction.makeResponse(503)
        response.append(.retryAfter, "5")
        transaction.respond(response)
    }

    func received(acknowledgement: SIPMessage, for transaction: ServerTransaction?, on flow: Flow) {
        guard let id = try? acknowledgement.dialogIDAtServer() else { return }
        context.dialogs[id]?.acknowledged(acknowledgement)
        context.textDialogs[id]?.acknowledged(acknowledgement)
    }

    func cancelled(_ transaction: ServerTransaction, by cancel: SIPMessage) {
        let request = transaction.request
        guard let callID = try? request.callID(), let remote = try? request.from().tag else {
            transaction.respond(487)
            return
        }
        let id = DialogID(callID: callID, localTag: transaction.localTag, remoteTag: remote)
        if let call = context.dialogs[id] {
            call.cancelled(transaction)
        } else if let chat = context.textDialogs[id] {
            chat.cancelled(transaction)
        } else {
            transaction.respond(487)
        }
    }

    /// What a phone that is registered asks for.
    private func serve(_ transaction: ServerTransaction, _ phone: Phone) {
        // What a MESSAGE claims is judged together with what it carries.
        guard transaction.request.method == .message || CallerIdentity.isCaller(transaction.request, phone.addresses)
        else {
            transaction.respond(transaction.makeResponse(403, reason: "Not your address"))
            return
        }
        switch transaction.request.method {
        case .message: message(transaction, phone.identity, user: phone.user, phone: phone)
        case .subscribe:
            phone.subscriptions.subscribe(
                transaction,
                address: phone.address,
                account: phone.record.addressOfRecord,
                now: .now()
            )
        case .invite, .bye, .update, .refer: phone.talks.received(transaction)
        default: transaction.respond(405)
        }
    }

    // MARK: Registrations

    /// What phones are told of each other, by what they watch.
    private var directory: PhoneDirectory {
        PhoneDirectory(
            registered: { [weak self] identity in
                guard let record = self?.phones[identity]?.record, let binding = record.bindings.first else {
                    return nil
                }
                let gruu = binding.instance.map {
                    GRUU.publicURI(addressOfRecord: record.addressOfRecord, instance: $0).description
                }
                return RegisteredPhone(contact: binding.contact.uri.description, publicGRUU: gruu)
            },
            dialog: { [weak self] identity, session in self?.phones[identity]?.talks.calls[session]?.phoneDialog }
        )
    }

    private func register(_ transaction: ServerTransaction, _ record: PhoneRecord) {
        let request = transaction.request
        let identity = record.credential.identity
        let before = phones[identity]
        guard let to = try? request.to().uri, let aor = to.sip,
            let address = before?.addressURI == to ? before?.address : try? Address(to.description),
            record.addresses.contains(address), let from = try? request.from().uri,
            from == to || (try? Address(from.description)) == address
        else {
            transaction.respond(transaction.makeResponse(403, reason: "Not your address"))
            return
        }
        guard before != nil || phones.count < context.limits.phones else { return busy(transaction) }
        // It may have closed while the account was looked up: nobody would tell the phone's end again.
        guard context.stack?.isOpen(transaction.flow) ?? false else { return }
        let phone =
            before
            ?? Phone(
                context,
                record,
                addressOfRecord: Self.addressOfRecord(aor),
                address: address,
                directory: directory
            )
        let now = NIODeadline.now()
        let wasOn = Set(phone.flows.values.map(\.number))
        let response = phone.register(request, policy(transaction), on: transaction.flow, now: now)
        transaction.respond(tagged(response, transaction))
        guard response.status?.isSuccess ?? false else { return }
        phones[identity] = phone
        phone.addresses = record.addresses
        let isOn = Set(phone.flows.values.filter(\.transport.isReliable).map(\.number))
        for number in wasOn.subtracting(isOn) {
            onConnection[number]?.remove(identity)
            if onConnection[number]?.isEmpty ?? false { onConnection[number] = nil }
        }
        // Of its other flows nothing was said now: one that came through a proxy proves no more than before.
        if Self.isDirect(request), isOn.contains(transaction.flow.number) {
            onConnection[transaction.flow.number, default: []].insert(identity)
        }
        // One that only leaves says nothing of who stays.
        let contact = phone.record.bindings.first { $0.isFrom(request) }?.contact
        let features = contact.map {
            PhoneFeatures(
                $0,
                request,
                before: phone.capabilities,
                isDatagram: transaction.flow.transport == .udp
            )
        }
        phone.addressURI = to
        phone.registered(address: address, features: features, now: now)
        if phone.isGone { forget(identity) }
    }

    private func forget(_ identity: DeviceIdentity) { phones.removeValue(forKey: identity)?.talks.close() }

    /// The address of record without a port or parameters, so that GRUUs are the same from wherever it registers.
    private static func addressOfRecord(_ uri: SIPURI) -> SIPURI {
        var uri = uri
        uri.parameters = []
        uri.headers = []
        uri.password = nil
        return uri
    }

    private func policy(_ transaction: ServerTransaction) -> RegistrarRecord.Policy {
        let limits = context.limits
        var policy = RegistrarRecord.Policy()
        policy.minimumExpires = limits.leaseMinimumSeconds
        policy.maximumExpires = limits.leaseMaximumSeconds
        policy.defaultExpires = limits.leaseMaximumSeconds
        policy.maximumBindings = limits.bindingsPerPhone
        if transaction.flow.transport == .udp, Self.isBehindNAT(transaction) {
            policy.maximumExpires = max(limits.leaseMinimumSeconds, limits.leaseBehindNATSeconds)
        }
        return policy
    }

    /// Whether the phone's own idea of its address is another one than ours.
    private static func isBehindNAT(_ transaction: ServerTransaction) -> Bool {
        guard let via = try? transaction.request.topVia() else { return false }
        let port = via.sentBy.port.map { Int($0) } ?? 5060
        return Host.unbracketed(via.sentBy.host) != transaction.flow.remote.ipAddress
            || port != transaction.flow.remote.port
    }

    private func tagged(_ response: SIPMessage, _ transaction: ServerTransaction) -> SIPMessage {
        var response = response
        if var to = try? response.to(), to.tag == nil {
            to.tag = transaction.localTag
            response.set(.to, to.description)
        }
        return response
    }

    // MARK: Time and connections

    func closed(_ flow: Flow) {
        for identity in onConnection.removeValue(forKey: flow.number) ?? [] {
            guard let phone = phones[identity] else { continue }
            phone.flowFailed(flow)
            if phone.isGone { forget(identity) }
        }
    }

    /// About once a second.
    func tick() {
        let now = NIODeadline.now()
        records = records.filter { $0.value.until > now }
        for (identity, phone) in phones {
            phone.tick(now: now)
            if phone.isGone { forget(identity) }
        }
    }

    /// The server shuts down: positions are kept, leases stay.
    func stop() {
        for phone in phones.values {
            phone.talks.end()
            phone.leave(endsLease: false)
            phone.talks.close()
        }
        phones = [:]
        onConnection = [:]
    }
}

extension Binding {
    /// Whether it is as this REGISTER has it.
    fileprivate func isFrom(_ request: SIPMessage) -> Bool {
        guard let callID = try? request.callID(), let number = try? request.cSeq().number else { return false }
        return self.callID == callID && self.number == number
    }
}
