import ClientWire
import HTTPTypes
import Hummingbird
import MessagingCore
import MessagingService
import Store

/// The routes of the client listener, made for one service.
struct ClientRoutes: Sendable {
    let service: MessagingService
    let limits: GatewayLimits
    let clock: @Sendable () -> Timestamp
    let loginsOfPeer: RateLimiter<PeerKey>
    let loginsOfAddress: RateLimiter<Address>

    init(service: MessagingService, limits: GatewayLimits, clock: @escaping @Sendable () -> Timestamp) {
        self.service = service
        self.limits = limits
        self.clock = clock
        loginsOfPeer = RateLimiter(limits.loginsOfPeer, capacity: limits.rateEntries)
        loginsOfAddress = RateLimiter(limits.loginsOfAddress, capacity: limits.rateEntries)
    }

    /// Everything but the document itself, which is made of these.
    var all: [Route] {
        session + account + devices + messages + reading + preferences + contacts + uploads + files + links + sessions
    }

    var session: [Route] {
        [
            .open(.get, "/v1/time", Operation("time", "The server's clock; message ids are made on it.", .json("Time")))
            {
                _ in try .json(TimeDocument(now: clock()))
            },
            .open(
                .post,
                "/v1/login",
                Operation(
                    "login",
                    "Registers a new device with an address and its password.",
                    body: "LoginRequest",
                    .json("LoginAnswer", 201, "The device's token; it is shown once.")
                )
            ) { call in try .json(await login(call), .created) },
            .device(.post, "/v1/logout", Operation("logout", "Revokes the asking device.", .nothing)) { _, who in
                try await service.logout(who)
                return .nothing
            },
            .open(
                .get,
                "/v1/socket",
                Operation(
                    "socket",
                    "Opens the device's WebSocket; the first frame is `hello` with the token.",
                    Operation.Answer(status: 101, schema: nil, description: "The socket is open.")
                )
            ) { _ in
                throw GatewayError(
                    Refusal(.upgradeRequired, "this is a WebSocket: upgrade the first request of a connection"),
                    fields: [.upgrade: "websocket", .secWebSocketVersion: "13"]
                )
            },
        ]
    }

    private func login(_ call: Call) async throws -> LoginAnswer {
        let request = try await call.exactJSON(LoginRequest.self)
        let now = ConnectionLoop.now()
        let wait = loginsOfPeer.take(call.peer, now: now) ?? loginsOfAddress.take(request.address, now: now)
        if let wait { throw GatewayError.rateLimited("too many attempts to log in", waitMilliseconds: wait) }
        let answer = try await service.login(request)
        // Only failures count.
        loginsOfPeer.giveBack(call.peer)
        loginsOfAddress.giveBack(request.address)
        return answer
    }

    var account: [Route] {
        [
            .device(
                .get,
                "/v1/account",
                Operation("account", "The account of the asking device.", .json("AccountDocument"))
            ) { _, who in try .json(await service.account(who)) },
            .device(
                .put,
                "/v1/account/password",
                Operation("changePassword", "Changes the password.", body: "PasswordChange", .nothing)
            ) { call, who in
                let change = try await call.exactJSON(PasswordChange.self)
                if let wait = loginsOfPeer.take(call.peer, now: ConnectionLoop.now()) {
                    throw GatewayError.rateLimited("too many attempts", waitMilliseconds: wait)
                }
                try await service.changePassword(who, change)
                loginsOfPeer.giveBack(call.peer)
                return .nothing
            },
            .device(
                .get,
                "/v1/account/ledger",
                Operation("ledger", "The account's ledger, newest first.", [.before, .limit], .json("LedgerPage"))
            ) { call, who in
                try .json(
                    await service.ledger(
                        who.account,
                        before: call.query.number("before"),
                        limit: call.query.limit()
                    )
                )
            },
            .device(
                .get,
                "/v1/settings",
                Operation("settings", "The user's switches.", .json("AccountSettings"))
            ) { _, who in try .json(await service.settings(who)) },
            .device(
                .put,
                "/v1/settings",
                Operation("putSettings", "Replaces them.", body: "AccountSettings", .json("AccountSettings"))
            ) { call, who in
                try .json(await service.putSettings(who, try await call.exactJSON(AccountSettings.self)))
            },
        ]
    }

    var devices: [Route] {
        [
            .device(
                .get,
                "/v1/devices",
                Operation("devices", "The account's devices with their state now.", .json("DeviceList"))
            ) { _, who in try .json(await service.devices(who.account, asking: who.device)) },
            .device(
                .post,
                "/v1/phones",
                Operation(
                    "addPhone",
                    "Makes a device for a SIP phone, with a user name and a password of its own; revoke it as a device.",
                    body: "PhoneRequest",
                    .json("PhoneAnswer", 201, "What to enter into the phone; the password is shown once.")
                )
            ) { call, who in
                try .json(await service.addPhone(who, try await call.exactJSON(PhoneRequest.self)), .created)
            },
            .device(
                .patch,
                "/v1/devices/{id}",
                Operation(
                    "changeDevice",
                    "Changes what a device is called, is, can do or wants; what is absent stays.",
                    body: "DeviceChange",
                    .json("DeviceDocument")
                )
            ) { call, who in
                let id = try device(call, who.device)
                return try .json(await service.changeDevice(who, id, try await call.exactJSON(DeviceChange.self)))
            },
            .device(
                .delete,
                "/v1/devices/{id}",
                Operation("revokeDevice", "Revokes a device; `this` is the asking one.", .nothing)
            ) { call, who in
                try await service.revokeDevice(who.account, try device(call, who.device))
                return .nothing
            },
            .device(
                .post,
                "/v1/devices/this/lease",
                Operation("renewLease", "Holds the registration for another lease.", .nothing)
            ) { _, who in
                try await service.renewLease(who)
                return .nothing
            },
        ]
    }

    /// The device of a path; `this` is the asking one.
    private func device(_ call: Call, _ asking: DeviceID) throws(Refusal) -> DeviceID {
        if call.value("id") == "this" { return asking }
        return DeviceID(rawValue: try call.number("id", "device"))
    }
}

/// `GET /v1/time`.
struct TimeDocument: Codable {
    var now: Timestamp
}
