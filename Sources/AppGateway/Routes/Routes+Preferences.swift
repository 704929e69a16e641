import ClientWire
import HTTPTypes
import Hummingbird
import MessagingCore
import MessagingService

extension ClientRoutes {
    var preferences: [Route] {
        [
            .device(
                .get,
                "/v1/availability",
                Operation("availability", "Whether the person wants to be disturbed.", .json("Availability"))
            ) { _, who in try .json(await service.availability(who)) },
            .device(
                .put,
                "/v1/availability",
                Operation("putAvailability", "Sets it, on all devices.", body: "Availability", .json("Availability"))
            ) { call, who in
                try .json(await service.putAvailability(who, try await call.exactJSON(Availability.self)))
            },
            .device(
                .get,
                "/v1/blocked",
                Operation("blocked", "Senders that nothing is taken from.", .json("BlockedDocument"))
            ) { _, who in try .json(await service.blocked(who)) },
            .device(
                .put,
                "/v1/blocked",
                Operation("putBlocked", "Replaces the list.", body: "BlockedDocument", .json("BlockedDocument"))
            ) { call, who in
                try .json(await service.putBlocked(who, try await call.exactJSON(BlockedDocument.self)))
            },
            .device(
                .get,
                "/v1/rules",
                Operation("rules", "The rules in force, with their revision.", .json("RuleBook"))
            ) { _, who in try .json(await service.rules(who)) },
            .device(
                .put,
                "/v1/rules",
                Operation(
                    "putRules",
                    "Replaces the rules; `revision` is the one that was read.",
                    body: "RuleBook",
                    .json("RuleBook")
                )
            ) { call, who in try .json(await service.putRules(who, try await call.exactJSON(RuleBook.self))) },
            .device(
                .post,
                "/v1/rules/dry-run",
                Operation(
                    "dryRun",
                    "What each device would get of a message that might come.",
                    body: "DryRunRequest",
                    .json("ExplanationDocument")
                )
            ) { call, who in try .json(await service.dryRun(who, try await call.exactJSON(DryRunRequest.self))) },
        ]
    }

    var contacts: [Route] {
        [
            .device(
                .get,
                "/v1/contacts",
                Operation("contacts", "Contacts, newest first.", [.before, .limit], .json("ContactPage"))
            ) { call, who in
                try .json(
                    await service.contacts(
                        who,
                        before: call.query.number("before"),
                        limit: call.query.limit()
                    )
                )
            },
            .device(
                .put,
                "/v1/contacts/{id}",
                Operation("putContact", "Adds or replaces a contact.", body: "Contact", .json("Contact"))
            ) { call, who in
                let contact = try await call.exactJSON(Contact.self)
                guard contact.id == (try call.messageID()) else {
                    throw Refusal(.invalidRequest, "id: must be the one of the path")
                }
                return try .json(await service.putContact(who, contact))
            },
            .device(.delete, "/v1/contacts/{id}", Operation("deleteContact", "Removes a contact.", .nothing)) {
                call,
                who in
                try await service.deleteContact(who, try call.messageID())
                return .nothing
            },
        ]
    }
}
