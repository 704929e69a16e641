import ClientWire
import HTTPTypes
import Hummingbird
import MessagingCore
import MessagingService
import Store

extension ClientRoutes {
    var messages: [Route] {
        [
            .device(
                .post,
                "/v1/messages",
                Operation(
                    "send",
                    "Sends a message; the same id with the same request gives the same answer.",
                    body: "SendRequest",
                    .json("SendAnswer", 201, "Committed in every mailbox of this provider."),
                    .json("SendAnswer", 200, "It was accepted earlier.")
                )
            ) { call, who in
                let answer = try await service.send(who, try await call.json(SendRequest.self))
                return try .json(answer, answer.repeated ? .ok : .created)
            },
            .device(
                .post,
                "/v1/messages/read",
                Operation("markRead", "Marks messages as read.", body: "ReadRequest", .json("CountAnswer"))
            ) { call, who in try .json(await service.markRead(who, try await call.json(ReadRequest.self))) },
            .device(
                .post,
                "/v1/messages/delete",
                Operation(
                    "delete",
                    "Deletes messages on all devices, or on this one only.",
                    body: "DeleteRequest",
                    .json("CountAnswer")
                )
            ) { call, who in try .json(await service.delete(who, try await call.json(DeleteRequest.self))) },
            .device(
                .post,
                "/v1/messages/{id}/fetch",
                Operation("fetch", "Gets a message whole on this device.", .json("ItemDocument"))
            ) { call, who in try .json(await service.fetch(who, try call.messageID())) },
        ]
    }

    var reading: [Route] {
        [
            .device(
                .get,
                "/v1/messages",
                Operation(
                    "messages",
                    "Messages, newest first.",
                    [
                        Operation.Parameter(name: "box", schema: "Box", description: "Only received or sent ones."),
                        Operation.Parameter(name: "conversation", description: "Only of this conversation."),
                        Operation.Parameter(name: "unread", schema: "Flag", description: "Only unread ones."),
                        .before, .limit,
                    ],
                    .json("ItemPage")
                )
            ) { call, who in try .json(await service.messages(who, try listing(call.query))) },
            .device(
                .get,
                "/v1/messages/{id}",
                Operation("message", "A message as the asking device gets it.", .json("ItemDocument"))
            ) { call, who in try .json(await service.message(who, try call.messageID())) },
            .device(
                .get,
                "/v1/messages/{id}/decisions",
                Operation(
                    "decisions",
                    "What each device got of a message, and why.",
                    .json("ExplanationDocument")
                )
            ) { call, who in try .json(await service.explain(who, try call.messageID())) },
            .device(
                .get,
                "/v1/conversations",
                Operation(
                    "conversations",
                    "Conversations by their newest message.",
                    [.before, .limit],
                    .json("ConversationPage")
                )
            ) { call, who in
                try .json(
                    await service.conversations(
                        who,
                        before: call.query.number("before"),
                        limit: call.query.limit()
                    )
                )
            },
            .device(
                .get,
                "/v1/search",
                Operation(
                    "search",
                    "Messages that hold every word, newest first.",
                    [
                        Operation.Parameter(name: "q", isRequired: true, description: "Words to look for."),
                        .before, .limit,
                    ],
                    .json("ItemPage")
                )
            ) { call, who in
                try .json(
                    await service.search(
                        who,
                        call.query.text("q") ?? "",
                        before: call.query.number("before"),
                        limit: call.query.limit()
                    )
                )
            },
        ] + partRoutes
    }

    private var partRoutes: [Route] {
        downloads(
            "/v1/messages/{id}/parts/{part}",
            id: "part",
            "The bytes of a part, counted from 0."
        ) { call, who in
            try await service.part(who, try call.messageID(), try call.number("part", "part"))
        }
    }

    private func listing(_ query: Query) throws -> Listing {
        let box = try query.text("box").map { text in
            guard let box = Listing.Box(rawValue: text) else {
                throw Refusal(.invalidRequest, "box: inbox or sent")
            }
            return box
        }
        return Listing(
            kinds: [.message],
            box: box,
            conversation: try query.text("conversation").map { try ConversationID($0) },
            unreadOnly: try query.flag("unread"),
            before: try query.number("before") ?? .max,
            limit: try query.limit()
        )
    }

    /// `GET` and `HEAD` of something's bytes, for devices.
    func downloads(
        _ path: String,
        id: String,
        _ summary: String,
        _ source: @escaping @Sendable (Call, DeviceIdentity) async throws -> PartSource
    ) -> [Route] {
        let download = Download(service: service, limits: limits)
        return [.get, .head].map { method in
            .device(method, path, Self.downloadOperation(method, id, summary)) { call, who in
                try download.answer(try await source(call, who), to: call.request)
            }
        }
    }

    static func downloadOperation(_ method: HTTPRequest.Method, _ id: String, _ summary: String) -> Operation {
        guard method == .get else {
            return Operation(
                id + "Head",
                summary + " Without the bytes.",
                [.ifNoneMatch],
                Operation.Answer(status: 200, schema: nil, description: "The fields that `GET` would give."),
                Operation.Answer(status: 304, schema: nil, description: "The client has it.")
            )
        }
        return Operation(
            id,
            summary,
            [.range, .ifRange, .ifNoneMatch],
            .bytes(200, "All of it."),
            .bytes(206, "The range."),
            Operation.Answer(status: 304, schema: nil, description: "The client has it.")
        )
    }
}
