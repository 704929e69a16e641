import MessagingCore

/// The requirement document, step by step.
enum TourPlan {
    static let all = messages + conversation + pull + media + requirements

    /// What has to be played for a step, itself included, in order.
    static func chain(to name: String) -> [TourStep]? {
        guard let step = all.first(where: { $0.name == name }) else { return nil }
        guard let after = step.after else { return [step] }
        return chain(to: after).map { $0 + [step] }
    }

    /// Steps of which each follows the one before.
    private static func flow(_ steps: [TourStep], after first: String? = nil) -> [TourStep] {
        var last = first
        return steps.map { step in
            var step = step
            step.after = last
            last = step.name
            return step
        }
    }

    private static func step(
        _ name: String,
        _ words: String,
        _ sabotage: TourStep.Sabotage,
        play: @escaping @Sendable (Stage) async throws -> String
    ) -> TourStep {
        TourStep(name: name, words: words, after: nil, play: play, sabotage: sabotage)
    }

    private static let messages = flow([
        step("1", "Bob, back from holidays, finds Alice in his contacts", .stop(.b)) { try await $0.contacts() },
        step("2", "his laptop: subject, text, pictures, a receiver", .close("bob-laptop")) { try await $0.compose() },
        step("3", "he sends it; a retry is no second message", .stop(.b)) { try await $0.submit() },
        step(
            "4",
            "his provider checks his rights, and charges once",
            .act("messages cost nothing") { try await $0.b.put(tariff: Tariff()) }
        ) { try await $0.rights() },
        step("5", "it forwards to Alice's provider, whether up or down", .stop(.a)) { try await $0.forward() },
        step("6", "it keeps a copy for all Bob's devices", .close("bob-pda")) { try await $0.sentbox() },
        step("7", "Alice's provider looks at her preferences", .rulesRemoved(before: "3")) { try await $0.decisions() },
        step("8", "three devices of hers are there", .act("the fixed phone is revoked") { try await $0.revokePhone() })
        { try await $0.registered() },
        step("9", "whole, notification or nothing for each; stored", .rulesRemoved()) { try await $0.delivery() },
        step(
            "10",
            "each device pops up",
            .act("Alice is not to be disturbed", before: "3") { try await $0.doNotDisturb() }
        ) { try await $0.popups() },
        step("11", "opened on the laptop, read everywhere", .switchOff("alice-mobile")) { try await $0.read() },
        step(
            "12",
            "reports to all of Bob's devices",
            .close("bob-laptop")
        ) { try await $0.reports() },
        step("13", "deleted on all devices", .switchOff("alice-mobile")) { try await $0.deleteEverywhere() },
        step("14", "deleted on the mobile alone", .revoke("alice-mobile")) { try await $0.deleteHere() },
        step("15", "saved on the laptop's disk", .cut("alice-laptop")) { try await $0.save() },
    ])

    private static let conversation = flow(
        [
            step("16", "Alice asks for a conversation", .close("alice-laptop")) { try await $0.ask() },
            step("17", "her laptop asks her provider", .stop(.a)) { try await $0.asked() },
            step(
                "18",
                "which checks her rights",
                .act("requests cost nothing", before: "16") { try await $0.a.put(tariff: Tariff()) }
            ) { try await $0.requestRights() },
            step("19", "and forwards to Bob's provider", .stop(.b, before: "16")) { try await $0.requestForwarded() },
            step("20", "which looks at his preferences", .stop(.b)) { try await $0.calleePreferences() },
            step(
                "21",
                "and finds three devices",
                .act("Bob's laptop is revoked", before: "16") { try await $0.revokeDevice("Bob's laptop") }
            ) { try await $0.calleeDevices() },
            step("22", "all three are told", .cut("bob-laptop", before: "16")) { try await $0.told() },
            step("23", "all three pop up", .close("bob-laptop")) { try await $0.alerts() },
            step("24", "accepted on the PDA", .cut("bob-pda")) { try await $0.accepted() },
            step("25", "gone from the other devices", .cut("bob-laptop", before: "24")) { try await $0.withdrawn() },
            step("26", "they talk, in one order", .stop(.b)) { try await $0.exchange() },
            step("27", "Alice has to leave", .act("the conversation is ended") { try await $0.endTalk() }) {
                try await $0.leaving()
            },
            step(
                "28",
                "she picks the mobile among her devices",
                .act("the mobile is revoked") { try await $0.revokeDevice("Alice's mobile") }
            ) { try await $0.push() },
            step("29", "with the history", .close("alice-laptop")) { try await $0.pushHistory() },
            step("30", "the mobile gets the history", .switchOff("alice-mobile", before: "29")) {
                try await $0.replayed()
            },
            step("31", "the laptop's leg is closed", .stop(.a)) { try await $0.oldLegClosed() },
            step("32", "she goes on on the mobile", .stop(.b)) { try await $0.continued() },
        ]
    )

    private static let pull = flow([
        step("27a", "Alice has to leave", .stop(.b)) { try await $0.pullBegin() },
        step(
            "28a",
            "the mobile lists the conversations elsewhere",
            .act("the conversation is ended") { try await $0.endTalk() }
        ) { try await $0.pullList() },
        step("29a", "she picks one", .switchOff("alice-mobile")) { try await $0.pullPick() },
        step("30a", "with the history", .switchOff("alice-mobile")) { try await $0.pullHistory() },
        step("31a", "the mobile gets the history", .stop(.a, before: "30a")) { try await $0.replayed() },
        step("32a", "the laptop's leg is closed", .stop(.a)) { try await $0.oldLegClosed() },
        step("33a", "she goes on on the mobile", .stop(.b)) { try await $0.continued() },
    ])

    private static let media = flow([
        step("27b", "Bob would like to talk directly", .stop(.b)) { try await $0.mediaBegin() },
        step(
            "28b",
            "his PDA lists sessions, media, his and her devices",
            .act("Alice shows nothing of her devices") { try await $0.showNoDevices() }
        ) { try await $0.lists() },
        step("29b", "he adds a voice call", .close("bob-pda")) { try await $0.proposeVoice() },
        step("30b", "the PDA asks his provider", .stop(.b)) { try await $0.voiceProposed() },
        step("31b", "both providers: asked on Alice's devices", .stop(.a)) { try await $0.voiceAsked() },
        step("32b", "accepted on her laptop", .cut("alice-laptop")) { try await $0.voiceAccepted() },
        step(
            "33b",
            "they talk, and text goes on",
            .act("the path of the voice is closed") { try await $0.closePaths() }
        ) { try await $0.voiceFlows() },
        step("34b", "Bob would like to show a video", .act("the video is deleted") { try await $0.deleteVideos() }) {
            try await $0.videos()
        },
        step(
            "35b",
            "from his area, on his laptop",
            .act("Bob's laptop is revoked") { try await $0.revokeDevice("Bob's laptop") }
        ) { try await $0.proposeVideo() },
        step("36b", "the PDA asks his provider", .cut("bob-pda")) { try await $0.sendProposal() },
        step("37b", "which forwards to hers", .stop(.a)) { try await $0.videoForwarded() },
        step("38b", "her laptop is told", .close("alice-laptop")) { try await $0.videoAsked() },
        step("39b", "accepted, for her laptop", .cut("alice-laptop")) { try await $0.videoAccepted() },
        step("40b", "her provider answers his", .stop(.b)) { try await $0.videoAnswered() },
        step("41b", "both laptops show it in step, text goes on", .cut("bob-laptop")) { try await $0.videoInStep() },
    ])

    private static let requirements: [TourStep] = [
        step("R1", "all registered devices are notified", .stop(.a)) { try await $0.notifiesAll() },
        step("R2", "whole or notification, by rules", .rulesRemoved()) { try await $0.decidesByRule() },
        step("R3", "a notification has a link to the whole", .rulesRemoved()) { try await $0.linkDownloads() },
        step(
            "R4",
            "reports to all the sender's devices",
            .stop(.b)
        ) { try await $0.reportsLater() },
        step("R5", "status is the same everywhere", .cut("alice-laptop")) { try await $0.statusLater() },
        step("R6", "deleted everywhere", .cut("alice-laptop")) { try await $0.deletedLater() },
        step("R7", "deleted here, the notification stays", .stop(.a)) { try await $0.keptAsNotice() },
        step("R8", "received messages are stored by the provider", .stop(.a)) { try await $0.storedReceived() },
        step("R9", "sent messages are stored by the provider", .stop(.b)) { try await $0.storedSent() },
        step("R10", "requests on all devices", .cut("bob-laptop")) { try await $0.requestEverywhere() },
        step("R11", "accepted on one, gone from the others", .stop(.b)) { try await $0.oneAccepts() },
        step(
            "R12",
            "moved without interruption",
            .act("Alice's mobile is revoked") { try await $0.revokeDevice("Alice's mobile") }
        ) { try await $0.withoutInterruption() },
        step("R13", "several devices in one session", .stop(.b)) { try await $0.severalDevices() },
        step("R14", "media added, changed and removed", .stop(.b)) { try await $0.mediaChange() },
        step(
            "R15",
            "on devices of one's choice",
            .act("Bob's laptop is revoked") { try await $0.revokeDevice("Bob's laptop") }
        ) { try await $0.chosenDevices() },
        step(
            "R16",
            "own and others' devices and media",
            .act("Alice shows nothing of her devices") { try await $0.showNoDevices() }
        ) { try await $0.deviceLists() },
        step("R17", "sessions and their media", .stop(.b)) { try await $0.sessionLists() },
        step("R18", "a change is accepted or rejected", .stop(.a)) { try await $0.rejectedChange() },
    ]
}
