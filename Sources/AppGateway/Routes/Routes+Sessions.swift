import ClientWire
import HTTPTypes
import MessagingCore
import MessagingService
import SessionCore
import Store

/// Live conversations. Texts of one are sent as messages with `session`; what all of these return, the user's other
/// devices are sent as an item of the kind `session`.
extension ClientRoutes {
    var sessions: [Route] { listing + answers + legs + people + media }

    private var listing: [Route] {
        [
            .device(
                .post,
                "/v1/sessions",
                Operation(
                    "requestSession",
                    "Asks users for a conversation; asking again with the same id never makes a second one.",
                    body: "SessionRequest",
                    .json("SessionDocument", 200, "Every device of theirs that the rules admit rings.")
                )
            ) { call, who in try .json(await service.request(who, try await call.exactJSON(SessionRequest.self))) },
            .device(
                .get,
                "/v1/sessions",
                Operation("sessions", "The user's sessions that are not over, on any device.", .json("SessionList"))
            ) { _, who in try .json(await service.sessions(who)) },
            .device(
                .get,
                "/v1/ice",
                Operation("ice", "STUN and TURN servers for media between devices.", .json("IceDocument"))
            ) { _, who in try .json(service.relays(who)) },
            .device(
                .get,
                "/v1/sessions/{id}",
                Operation("session", "One session.", .json("SessionDocument"))
            ) { call, who in try .json(await service.session(who, try call.session())) },
            .device(
                .get,
                "/v1/sessions/{id}/texts",
                Operation(
                    "sessionTexts",
                    "Texts in their order; whole for a device that takes part.",
                    [
                        Operation.Parameter(
                            name: "after",
                            schema: "Number",
                            description: "Only those above this ordinal; all if absent."
                        ), .limit,
                    ],
                    .json("SessionTexts")
                )
            ) { call, who in
                try .json(
                    await service.texts(
                        who,
                        try call.session(),
                        after: call.query.number("after") ?? 0,
                        limit: call.query.limit()
                    )
                )
            },
            .device(
                .get,
                "/v1/sessions/{id}/devices",
                Operation(
                    "counterparts",
                    "The devices of everybody else, as far as each of them lets others see.",
                    .json("CounterpartList")
                )
            ) { call, who in try .json(await service.counterparts(who, try call.session())) },
        ]
    }

    private var answers: [Route] {
        [
            .device(
                .post,
                "/v1/sessions/{id}/accept",
                Operation(
                    "accept",
                    "Accepts, on this device or on another one of the same user.",
                    body: "AcceptRequest",
                    .json("SessionDocument")
                )
            ) { call, who in
                try .json(
                    await service.accept(who, try call.session(), try await call.exactJSON(AcceptRequest.self))
                )
            },
            bare("reject", "Says no, for all of the user's devices.") { try await $0.reject($1, $2) },
            bare("ignore", "Silences the request on this device alone.") { try await $0.ignore($1, $2) },
            bare("leave", "Takes one's own request back, leaves, or ends a conversation of two.") {
                try await $0.leave($1, $2)
            },
        ]
    }

    /// A command that needs no body.
    private func bare(
        _ name: String,
        _ summary: String,
        _ command:
            @escaping @Sendable (MessagingService, DeviceIdentity, SessionID) async throws
            -> SessionDocument
    ) -> Route {
        .device(
            .post,
            "/v1/sessions/{id}/\(name)",
            Operation(name, summary, .json("SessionDocument"))
        ) { call, who in try .json(await command(service, who, try call.session())) }
    }

    private var legs: [Route] {
        [
            .device(
                .post,
                "/v1/sessions/{id}/legs",
                Operation(
                    "attach",
                    "Asks a device of one's own to join: in place of another one, or beside all.",
                    body: "LegRequest",
                    .json("SessionDocument")
                )
            ) { call, who in
                try .json(await service.attach(who, try call.session(), try await call.exactJSON(LegRequest.self)))
            },
            .device(
                .post,
                "/v1/sessions/{id}/leg",
                Operation(
                    "step",
                    "The device says where its own leg stands.",
                    body: "LegStep",
                    .json("SessionDocument")
                )
            ) { call, who in
                try .json(await service.step(who, try call.session(), try await call.exactJSON(LegStep.self)))
            },
        ]
    }

    private var people: [Route] {
        [
            .device(
                .post,
                "/v1/sessions/{id}/participants",
                Operation(
                    "invite",
                    "Asks another user to join.",
                    body: "ParticipantRequest",
                    .json("SessionDocument")
                )
            ) { call, who in
                let request = try await call.exactJSON(ParticipantRequest.self)
                return try .json(await service.invite(who, try call.session(), request.address))
            },
            .device(
                .post,
                "/v1/sessions/{id}/remove",
                Operation(
                    "removeParticipant",
                    "Takes a user out; only whoever asked for the session may.",
                    body: "ParticipantRequest",
                    .json("SessionDocument")
                )
            ) { call, who in
                let request = try await call.exactJSON(ParticipantRequest.self)
                return try .json(await service.remove(who, try call.session(), request.address))
            },
        ]
    }

    private var media: [Route] {
        [
            .device(
                .post,
                "/v1/sessions/{id}/media",
                Operation(
                    "proposeMedia",
                    "Proposes a change: adding waits for consent, moving for its path, the rest is done.",
                    body: "MediaRequest",
                    .json("SessionDocument")
                )
            ) { call, who in
                try .json(await service.propose(who, try call.session(), try await call.exactJSON(MediaRequest.self)))
            },
            .device(
                .post,
                "/v1/sessions/{id}/media/{change}/answer",
                Operation(
                    "answerMedia",
                    "Accepts a proposed medium on a device, or rejects it.",
                    body: "MediaAnswer",
                    .json("SessionDocument")
                )
            ) { call, who in
                let answer = try await call.exactJSON(MediaAnswer.self)
                return try .json(
                    await service.answer(who, try call.session(), try call.messageID("change"), answer)
                )
            },
            .device(
                .post,
                "/v1/sessions/{id}/media/{change}/path",
                Operation(
                    "reportPath",
                    "The path of a move runs, or could not be made; or a proposal is taken back.",
                    body: "PathReport",
                    .json("SessionDocument")
                )
            ) { call, who in
                let report = try await call.exactJSON(PathReport.self)
                return try .json(
                    await service.path(who, try call.session(), try call.messageID("change"), report)
                )
            },
            .device(
                .post,
                "/v1/sessions/{id}/failed/{medium}",
                Operation(
                    "mediumFailed",
                    "A medium could not be made to run on this device: it ends, among several for this user alone.",
                    .json("SessionDocument")
                )
            ) { call, who in try .json(await service.mediumFailed(who, try call.session(), try call.medium())) },
            .device(
                .post,
                "/v1/sessions/{id}/play/{medium}",
                Operation(
                    "play",
                    "Plays, pauses or seeks a stored video, for all.",
                    body: "PlayRequest",
                    .json("SessionDocument")
                )
            ) { call, who in
                let wish = try await call.exactJSON(PlayRequest.self)
                return try .json(await service.play(who, try call.session(), try call.medium(), wish))
            },
        ]
            + downloads(
                "/v1/sessions/{id}/content/{medium}",
                id: "mediumContent",
                "The bytes of a file or stored video of a session."
            ) { call, who in try await service.content(who, try call.session(), try call.medium()) }
    }
}

extension Call {
    /// - Throws: ``Refusal`` `invalid-id`.
    fileprivate func session() throws(Refusal) -> SessionID { try SessionID(value("id")) }

    /// - Throws: ``Refusal`` `not-found`.
    fileprivate func medium() throws(Refusal) -> MediumID {
        MediumID(rawValue: try number("medium", "medium"))
    }
}
