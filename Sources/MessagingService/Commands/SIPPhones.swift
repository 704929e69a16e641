public import ClientWire
import Crypto
public import MessagingCore
import SessionCore
public import Store
import Synchronization

/// What the operator lets SIP phones use; the service needs it for making credentials.
public struct SIPAccess: Sendable, Hashable {
    /// The realm of the digest (RFC 3261, section 22.1).
    public var realm: String
    /// What phones are told to connect to, such as `sip.example.org:5060;transport=tcp`.
    public var servers: [String]
    /// Whether passwords may be used with MD5 somewhere: only then is such a hash kept.
    public var allowsMD5: Bool

    /// Access to one realm.
    public init(realm: String, servers: [String], allowsMD5: Bool) {
        self.realm = realm
        self.servers = servers
        self.allowsMD5 = allowsMD5
    }
}

/// What the gateway of SIP phones asks of the service.
extension MessagingService {
    /// Makes a device for a SIP phone, with a user name and a password of its own.
    /// - Throws: ``Refusal`` `unavailable` when the operator serves no SIP; `too-many`.
    public func addPhone(_ who: DeviceIdentity, _ request: PhoneRequest) async throws -> PhoneAnswer {
        try Self.check(label: request.label)
        guard let access = configuration.sip else {
            throw Refusal(.unavailable, "this provider serves no SIP phones")
        }
        let user = "p" + hexadecimal(randomBytes(8))
        let password = hexadecimal(randomBytes(16))
        return try await perform { work in
            var state = try work.user(who.account)
            guard let address = state.account.addresses.first(where: { $0.domain != nil }) else {
                throw Refusal(.notEntitled, "the account has no SIP address")
            }
            guard state.devices.count < Limits.devicesPerAccount else {
                throw Refusal(.tooMany, "an account has at most \(Limits.devicesPerAccount) devices; revoke one")
            }
            var capabilities = PhoneAbilities.plain
            if request.cpim ?? false { capabilities.features.append(PhoneAbilities.cpim) }
            var device = Device(
                id: state.account.nextDevice(),
                kind: request.kind ?? .fixedPhone,
                label: request.label,
                capabilities: capabilities,
                registered: work.now,
                rulesRevision: state.preferences.rules.revision,
                joinedAt: state.account.head,
                epoch: state.account.epoch
            )
            // Nothing holds it until it registers.
            device.leaseEnds = work.now
            try work.putDocument(&state, .device, "\(device.id.rawValue)", DeviceDocument(device))
            // Plain phones hold nothing and get what comes from now on.
            device.cursor = Cursor(
                epoch: state.account.epoch,
                number: state.account.head,
                level: state.account.head
            )
            state.devices.append(device)
            let identity = DeviceIdentity(account: who.account, device: device.id)
            try work.transaction.apply(.device(who.account, device))
            try work.transaction.apply(
                .sipCredential(Self.credential(user, password, identity, access))
            )
            work.put(state)
            return PhoneAnswer(
                device: DeviceDocument(device),
                address: address,
                user: user,
                password: password,
                realm: access.realm,
                servers: access.servers
            )
        }
    }

    private static func credential(
        _ user: String,
        _ password: String,
        _ identity: DeviceIdentity,
        _ access: SIPAccess
    ) -> SIPCredential {
        let secret = Array("\(user):\(access.realm):\(password)".utf8)
        var hashes = ["SHA-256": hexadecimal(SHA256.hash(data: secret))]
        if access.allowsMD5 { hashes["MD5"] = hexadecimal(Insecure.MD5.hash(data: secret)) }
        return SIPCredential(user: user, identity: identity, realm: access.realm, hashes: hashes)
    }

    /// What a phone of this user name proves itself with, and whose it is; `completion` is called on any thread.
    ///
    /// The same nil for a user name that nobody has and for an account that is suspended.
    public func phone(
        user: String,
        completion: @escaping @Sendable (Result<PhoneRecord?, any Error>) -> Void
    ) {
        store.read({ view in
            completion(
                Result {
                    guard let credential = try view.sipCredential(user: user),
                        let state = try view.user(credential.account), !state.account.suspended,
                        let device = state.device(credential.device)
                    else { return nil }
                    return PhoneRecord(credential: credential, device: device, addresses: state.account.addresses)
                }
            )
        }) { completion(.failure(Self.refusal($0))) }
    }

    /// The addresses that a device of the account may write as.
    /// - Throws: ``Refusal`` `unauthenticated` when the device was revoked, `not-entitled` when the account is suspended.
    public func addresses(_ who: DeviceIdentity) async throws -> [Address] {
        try await read { try PageReader(service: self, view: $0, identity: who).user.account.addresses }
    }

    /// Opens the stream of a phone that proved itself: it goes on where the phone's last acknowledgement was.
    ///
    /// Called in the inbox's context, like everything of the session.
    public func openSession(
        of identity: DeviceIdentity,
        link: any DeviceLink,
        inbox: any Inbox,
        window: WindowLimits,
        leaseEnds: Timestamp
    ) -> DeviceSession {
        let session = DeviceSession(service: self, link: link, inbox: inbox, window: window)
        session.leaseEnds = leaseEnds
        session.openKept(identity)
        return session
    }

    /// Accepts a phone's message: as any other, but that its id says nothing of its age.
    ///
    /// - Parameter session: where it is said; the same request sent again is the same text, wherever it belongs by then.
    public func sendFromPhone(
        _ who: DeviceIdentity,
        _ request: SendRequest,
        in session: SessionID?
    ) async throws -> SendAnswer {
        let digest = Self.digest(of: request)
        var request = request
        if let session {
            request.session = session
            request.to = []
            request.from = nil
        }
        let placed = request
        return try await withCheckedThrowingContinuation { continuation in
            send(who, placed, digest: digest, isDated: false) { continuation.resume(with: $0) }
        }
    }

    /// The sessions of a phone's account that are not over; where there are none nothing is read.
    public func liveSessions(_ who: DeviceIdentity) async throws -> [SessionDocument] {
        guard talking.withLock({ $0.contains(who.account) }) else { return [] }
        return try await sessions(who).sessions
    }

    /// Whether the rules of the account let a device ring for what is proposed in a session now.
    public func mayRing(_ who: DeviceIdentity, _ session: SessionID) async throws -> Bool {
        let now = clock()
        return try await read { view in
            let part = try Self.part(view, who.account, session)
            guard let user = try view.user(who.account) else { return false }
            return self.devicesToAlert(user, part.details, to: part.machine.user, now: now).contains(who.device)
        }
    }

    /// What a phone says of a medium to the device at its other end, if it is still there.
    public func signalFromPhone(_ who: DeviceIdentity, _ signal: MediaSignal) { self.signal(who, signal) }

    /// Tells the others in a session that the phone's user types.
    public func typingOnPhone(_ who: DeviceIdentity, in session: SessionID) {
        typing(who, TypingHint(session: session))
    }

    /// The phone holds its registration until then; a time that is past ends it.
    public func setLease(_ who: DeviceIdentity, endsAt time: Timestamp) {
        progress(who, nil, leaseEnds: time)
    }

    /// How many messages the account has not read, counted up to a hundred, for the lamp of a phone.
    public func unreadCount(_ who: DeviceIdentity) async throws -> Int {
        try await read { view in
            try PageReader(service: self, view: view, identity: who).unreadCount()
        }
    }

    /// A signed link to a message, for a phone that cannot be given the message itself.
    public func link(_ who: DeviceIdentity, to message: MessageID) -> String {
        let expires = clock().advanced(by: configuration.linkLifeMilliseconds)
        return links.link(account: who.account, message: message, expires: expires)
    }

    /// Whether the message was written on this very device.
    public func wasSent(_ message: MessageID, from who: DeviceIdentity) async throws -> Bool {
        try await read { view in
            let item = try view.item(who.account, kind: .message, object: message.description)
            return item?.message?.decisions[who.device]?.because == .sentFromHere
        }
    }

    /// The clock that times of messages and leases are taken from.
    public var now: Timestamp { clock() }
}

extension DeviceSession {
    /// The registration holds until then.
    public func renew(leaseEnds time: Timestamp) {
        leaseEnds = time
        guard case .open(let identity) = phase else { return }
        let now = service.clock()
        // However often a phone comes again, it is noted about once a second, by the tick.
        guard now.milliseconds(since: lastProgress) >= 1000 else {
            progressIsDue = true
            return
        }
        saveProgress(identity, now)
    }

    /// A phone took one message: known at once, not only when all of what was read together with it is taken.
    public func took(created number: ChangeNumber) {
        guard case .open(let identity) = phase else { return }
        uncommittedDeliveries += 1
        service.delivered(identity.account, [number]) { [inbox, self] in
            inbox.post { self.uncommittedDeliveries -= 1 }
        }
    }

    /// Everything changed at or below the number is done with.
    public func acknowledge(upTo number: ChangeNumber, level: ChangeNumber?) {
        guard case .open(let identity) = phase else { return }
        acknowledge(identity, number, level)
    }

    /// Everything changed at or below the number is known to who serves the phone, and the stream need not wait for it; what
    /// of it is not acknowledged comes again by ``rewind()``.
    public func seen(upTo number: ChangeNumber) {
        guard case .open = phase else { return }
        act(stream.seen(number))
    }

    /// What the phone did not acknowledge comes again. Nothing of before is written behind this call.
    public func rewind() {
        guard case .open = phase else { return }
        start = stream.acknowledged
        act(stream.rewind())
    }
}

/// A SIP phone as committed.
public struct PhoneRecord: Sendable {
    public var credential: SIPCredential
    public var device: Device
    /// The account's addresses: the phone may register and write as any of them.
    public var addresses: [Address]
}

extension Device {
    /// It is a SIP phone: the server keeps its position for it.
    var isPhone: Bool { capabilities.features.contains(PhoneAbilities.sip) }
}

/// What SIP phones can do, as features of a device.
public enum PhoneAbilities {
    /// The device is a SIP phone.
    public static let sip = "sip"
    /// It takes `message/cpim` (RFC 3862).
    public static let cpim = "cpim"
    /// It takes conversations as sessions of MSRP (RFC 4975).
    public static let msrp = "msrp"

    /// What every phone that takes MESSAGE can show, before it says more: a short text (RFC 3428, section 8).
    public static let plain = Capabilities(
        accepts: [try? MediaPattern("text/plain")].compactMap(\.self),
        maximumMessageBytes: textBytes(isDatagram: true, isCPIM: false),
        features: [sip]
    )

    /// The longest text for a phone: in a datagram a request has at most 1,300 bytes with all of its header fields;
    /// over a connection it may be as long as any that travels inside a message.
    public static func textBytes(isDatagram: Bool, isCPIM: Bool) -> Int64 {
        guard isDatagram else { return Int64(Limits.inlineTextBytes) }
        return isCPIM ? 400 : 700
    }
}
