import ClientWire
import HTTPTypes
import Hummingbird
import MessagingCore
import MessagingService
import NIOCore

/// The routes of the operator listener, made for one service.
struct OperatorRoutes: Sendable {
    let service: MessagingService
    let registry: PrometheusRegistry
    let backup: OperatorGateway.Backup
    let errors: OperatorGateway.RecentErrors

    var all: [Route] { accounts + ledger + running + health }

    var accounts: [Route] {
        [
            .operated(
                .post,
                "/operator/accounts",
                Operation("createAccount", "Makes an account.", body: "AccountRequest", .json("AccountDocument", 201))
            ) { call in try .json(await service.createAccount(try await call.exactJSON(AccountRequest.self)), .created)
            },
            .operated(
                .get,
                "/operator/accounts",
                Operation(
                    "accounts",
                    "Accounts in order of number.",
                    [
                        Operation.Parameter(
                            name: "after",
                            schema: "Number",
                            description: "Only accounts after this number: the `next` of the page before."
                        ),
                        .limit,
                    ],
                    .json("AccountPage")
                )
            ) { call in
                let after = try call.query.number("after").map { AccountID(rawValue: $0) }
                return try .json(await service.accounts(after: after, limit: call.query.limit()))
            },
            .operated(
                .get,
                "/operator/accounts/{id}",
                Operation("findAccount", "An account by number or address.", .json("AccountDocument"))
            ) { call in try .json(await service.findAccount(call.value("id"))) },
            .operated(
                .patch,
                "/operator/accounts/{id}",
                Operation(
                    "changeAccount",
                    "Changes an account; what is absent stays.",
                    body: "AccountChange",
                    .json("AccountDocument")
                )
            ) { call in
                let id = try await account(call)
                return try .json(await service.changeAccount(id, try await call.exactJSON(AccountChange.self)))
            },
            .operated(
                .get,
                "/operator/accounts/{id}/devices",
                Operation("accountDevices", "An account's devices.", .json("DeviceList"))
            ) { call in try .json(await service.devices(try await account(call), asking: nil)) },
            .operated(
                .delete,
                "/operator/accounts/{id}/devices/{device}",
                Operation("revokeAccountDevice", "Revokes a device of an account.", .nothing)
            ) { call in
                let device = DeviceID(rawValue: try call.number("device", "device"))
                try await service.revokeDevice(try await account(call), device)
                return .nothing
            },
        ]
    }

    var ledger: [Route] {
        [
            .operated(
                .post,
                "/operator/accounts/{id}/credit",
                Operation("credit", "Books credit by hand.", body: "CreditRequest", .json("AccountDocument"))
            ) { call in
                let id = try await account(call)
                return try .json(await service.credit(id, try await call.exactJSON(CreditRequest.self)))
            },
            .operated(
                .get,
                "/operator/accounts/{id}/ledger",
                Operation(
                    "accountLedger",
                    "An account's ledger, newest first.",
                    [.before, .limit],
                    .json("LedgerPage")
                )
            ) { call in
                try .json(
                    await service.ledger(
                        try await account(call),
                        before: call.query.number("before"),
                        limit: call.query.limit()
                    )
                )
            },
        ]
    }

    var running: [Route] {
        [
            .operated(
                .get,
                "/operator/settings",
                Operation("operatorSettings", "The settings in force.", .json("OperatorSettings"))
            ) { _ in try .json(await service.operatorSettings()) },
            .operated(
                .put,
                "/operator/settings",
                Operation("putOperatorSettings", "Replaces them.", body: "OperatorSettings", .json("OperatorSettings"))
            ) { call in
                try .json(await service.putOperatorSettings(try await call.exactJSON(OperatorSettings.self)))
            },
            .operated(
                .get,
                "/operator/trace/{message}",
                Operation("trace", "What happened to a message, device by device.", .json("TraceDocument"))
            ) { call in try .json(await service.trace(try call.messageID("message"))) },
            .operated(
                .get,
                "/operator/status",
                Operation("status", "Live figures.", .json("StatusDocument"))
            ) { _ in try .json(await service.status()) },
            .operated(
                .get,
                "/operator/outbox",
                Operation("outbox", "What waits for other domains, lane by lane.", [.limit], .json("OutboxDocument"))
            ) { call in try .json(await service.outbox(limit: call.query.limit())) },
            .operated(
                .get,
                "/operator/errors",
                Operation("errors", "What the server warned of lately.", .json("ErrorPage"))
            ) { _ in try .json(ErrorPage(errors: errors())) },
            .operated(
                .post,
                "/operator/backup",
                Operation(
                    "backup",
                    "Writes a backup to a path of the server's machine.",
                    body: "BackupRequest",
                    .json("BackupRequest", 200, "The backup is complete.")
                )
            ) { call in
                let request = try await call.exactJSON(BackupRequest.self)
                guard request.path.utf8.first == UInt8(ascii: "/"), request.path.utf8.count <= 1024,
                    !request.path.utf8.contains(0)
                else { throw Refusal(.invalidRequest, "path: an absolute path is needed") }
                try await backup(request.path)
                return try .json(request)
            },
        ]
    }

    var health: [Route] {
        [
            .open(.get, "/health/live", Operation("live", "The process answers.", .json("Health"))) { _ in
                try .json(HealthDocument(status: "ok"))
            },
            .open(.get, "/health/ready", Operation("ready", "The store answers.", .json("Health"))) { _ in
                _ = try await service.status()
                return try .json(HealthDocument(status: "ok"))
            },
            .open(
                .get,
                "/metrics",
                Operation(
                    "metrics",
                    "Figures in Prometheus' text format.",
                    Operation.Answer(
                        status: 200,
                        schema: "Text",
                        mediaType: "text/plain",
                        description: "Every metric of the process."
                    )
                )
            ) { _ in
                Response(
                    status: .ok,
                    headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: registry.text()))
                )
            },
        ]
    }

    /// The account of a path, named by number or by address.
    private func account(_ call: Call) async throws -> AccountID {
        if let number = Int64(call.value("id")) { return AccountID(rawValue: number) }
        return try await service.findAccount(call.value("id")).id
    }
}

/// `POST /operator/backup`, and its answer.
struct BackupRequest: Codable, Sendable {
    var path: String
}

/// `GET /health/...`.
struct HealthDocument: Codable, Sendable {
    var status: String
}
