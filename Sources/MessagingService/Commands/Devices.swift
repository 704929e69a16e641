public import ClientWire
public import MessagingCore
public import Store

extension MessagingService {
    /// Makes a new device with its own token, if address and password are right.
    /// - Throws: ``Refusal`` `unauthenticated`, the same for an unknown address and a wrong password; `too-many`.
    public func login(_ request: LoginRequest) async throws -> LoginAnswer {
        try Self.check(request.device)
        let (id, credential) = try await read { view in
            let id = try view.account(holding: request.address)
            return (id, try id.flatMap { try view.credential($0) })
        }
        let matches = try await hashing.run(0) { [passwords] in try passwords.verify(request.password, credential) }
        guard matches, let id else { throw Refusal(.unauthenticated, "address or password is wrong") }
        let token = DeviceToken()
        let hash = DeviceToken.hash(token.text)
        return try await perform { work in
            var user = try work.user(id)
            // The password was right when it was looked at: it may have been changed since.
            guard try work.transaction.credential(id) == credential,
                user.account.addresses.contains(request.address)
            else { throw Refusal(.unauthenticated, "address or password is wrong") }
            guard !user.account.suspended else { throw Refusal(.notEntitled, "the account is suspended") }
            guard user.devices.count < Limits.devicesPerAccount else {
                throw Refusal(.tooMany, "an account has at most \(Limits.devicesPerAccount) devices; revoke one")
            }
            let device = Device(
                id: user.account.nextDevice(),
                kind: request.device.kind,
                label: request.device.label,
                capabilities: request.device.capabilities ?? .everything,
                registered: work.now,
                rulesRevision: user.preferences.rules.revision,
                joinedAt: user.account.head,
                epoch: user.account.epoch
            )
            user.devices.append(device)
            try work.transaction.apply(.device(id, device))
            try work.transaction.apply(.token(hash, DeviceIdentity(account: id, device: device.id)))
            try work.putDocument(&user, .device, "\(device.id.rawValue)", DeviceDocument(device))
            work.put(user)
            return LoginAnswer(
                token: token.text,
                account: id,
                device: device.id,
                addresses: user.account.addresses,
                now: work.now
            )
        }
    }

    /// Whose token it is.
    /// - Throws: ``Refusal`` `unauthenticated`; `not-entitled` when the account is suspended.
    public func authenticate(token: String) async throws -> DeviceIdentity {
        try await withCheckedThrowingContinuation { continuation in
            identify(token: token) { continuation.resume(with: $0) }
        }
    }

    func identify(token: String, completion: @escaping @Sendable (Result<DeviceIdentity, any Error>) -> Void) {
        let hash = DeviceToken.hash(token)
        if let known = tokens[hash] { return completion(.success(known)) }
        let revocations = tokens.revocations
        store.read({ [tokens] view in
            completion(
                Result {
                    guard let identity = try view.identity(hash) else {
                        throw Refusal(.unauthenticated, "the token is not valid")
                    }
                    guard try view.user(identity.account)?.account.suspended == false else {
                        throw Refusal(.notEntitled, "the account is suspended")
                    }
                    tokens.remember(hash, identity, asOf: revocations)
                    return identity
                }
            )
        }) { completion(.failure(Self.refusal($0))) }
    }

    /// Ends this device: its token is void at once.
    public func logout(_ who: DeviceIdentity) async throws { try await revokeDevice(who.account, who.device) }

    /// The account's devices with their state now (R16).
    public func devices(_ account: AccountID, asking: DeviceID?) async throws -> DeviceList {
        let user = try await user(account)
        let connected = hub.connectedDevices(account)
        let now = clock()
        return DeviceList(
            devices: user.devices.sorted { $0.id < $1.id }.map { device in
                DeviceStatus(
                    device,
                    isRegistered: device.isRegistered(at: now),
                    isConnected: connected.contains(device.id),
                    isThis: device.id == asking
                )
            }
        )
    }

    /// Changes what a device is called, is, can do or wants.
    public func changeDevice(
        _ who: DeviceIdentity,
        _ id: DeviceID,
        _ change: DeviceChange
    ) async throws -> DeviceDocument {
        try await withCheckedThrowingContinuation { continuation in
            changeDevice(who, id, change) { continuation.resume(with: $0) }
        }
    }

    /// As above; it comes before whatever is asked of the service after this returns. `completion` is called on the writer's
    /// thread.
    public func changeDevice(
        _ who: DeviceIdentity,
        _ id: DeviceID,
        _ change: DeviceChange,
        completion: @escaping @Sendable (Result<DeviceDocument, any Error>) -> Void
    ) {
        do {
            if let label = change.label { try Self.check(label: label) }
            try change.capabilities?.validate()
        } catch {
            return completion(.failure(error))
        }
        perform(
            { work in
                var user = try work.user(who.account)
                guard let index = user.devices.firstIndex(where: { $0.id == id }) else {
                    throw Refusal(.notFound, "no such device")
                }
                if let label = change.label { user.devices[index].label = label }
                if let kind = change.kind { user.devices[index].kind = kind }
                if let capabilities = change.capabilities { user.devices[index].capabilities = capabilities }
                if let availability = change.availability { user.devices[index].availability = availability }
                if let synchronises = change.synchronises { user.devices[index].synchronises = synchronises }
                let device = user.devices[index]
                try work.transaction.apply(.device(who.account, device))
                try work.putDocument(&user, .device, "\(id.rawValue)", DeviceDocument(device))
                work.put(user)
                return DeviceDocument(device)
            },
            completion: completion
        )
    }

    /// Removes a device; its socket closes and its token is void once this returns.
    public func revokeDevice(_ account: AccountID, _ id: DeviceID) async throws {
        try await perform { work in
            var user = try work.user(account)
            guard user.devices.contains(where: { $0.id == id }) else { throw Refusal(.notFound, "no such device") }
            user.devices.removeAll { $0.id == id }
            try work.transaction.apply(.removeDevice(account, id))
            _ = try work.removeDocument(&user, .device, "\(id.rawValue)")
            work.put(user)
        }
        tokens.forget(account, id)
        hub.revoke(account, id)
    }

    /// Holds the registration for another lease.
    public func renewLease(_ who: DeviceIdentity) async throws {
        try await perform { work in try Self.progress(work, who, cursor: nil) }
    }

    /// Keeps what a device acknowledged; losing the newest costs repeated changes and nothing else.
    ///
    /// - Parameter leaseEnds: when the registration ends; nil holds it for another lease.
    func progress(_ who: DeviceIdentity, _ cursor: Cursor?, leaseEnds: Timestamp? = nil) {
        perform({ work in try Self.progress(work, who, cursor: cursor, leaseEnds: leaseEnds) }) { _ in }
    }

    private static func progress(
        _ work: Work,
        _ who: DeviceIdentity,
        cursor: Cursor?,
        leaseEnds: Timestamp? = nil
    ) throws {
        var user = try work.user(who.account)
        guard let index = user.devices.firstIndex(where: { $0.id == who.device }) else {
            throw Refusal(.unauthenticated, "the device was revoked")
        }
        user.devices[index].lastSeen = work.now
        user.devices[index].leaseEnds = leaseEnds ?? work.now.advanced(by: Limits.leaseMilliseconds)
        if let cursor { user.devices[index].cursor = cursor }
        try work.transaction.apply(.deviceProgress(who.account, user.devices[index]))
        work.put(user)
    }

    static func check(_ device: DeviceDescription) throws(Refusal) {
        try check(label: device.label)
        try device.capabilities?.validate()
    }

    static func check(label: String) throws(Refusal) {
        guard (1...Limits.labelBytes).contains(label.utf8.count),
            label.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 })
        else {
            throw Refusal(.invalidRequest, "a label has 1 to \(Limits.labelBytes) bytes, without control characters")
        }
    }

    /// A user as committed.
    /// - Throws: ``Refusal`` `not-found`.
    func user(_ id: AccountID) async throws -> UserState {
        guard let user = try await read({ try $0.user(id) }) else { throw Refusal(.notFound, "no such account") }
        return user
    }

    /// Opens a device's socket; the session expects `hello` first.
    public func openSession(link: any DeviceLink, inbox: any Inbox) -> DeviceSession {
        DeviceSession(service: self, link: link, inbox: inbox)
    }
}
