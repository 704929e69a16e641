import CPIM
import Testing
import XMLBodies

@Suite("Disposition notifications")
struct IMDNTests {
    static func original(_ extra: String...) throws -> CPIMMessage {
        let lines = [
            "From: Alice <im:alice@example.com>", "To: <im:bob@example.com>", "NS: x <urn:ietf:params:imdn>",
            "DateTime: 2006-04-04T12:16:49-05:00", "x.Message-ID: 34jk324j",
            "x.Disposition-Notification: positive-delivery;p=1, negative-delivery ,display,new-kind",
        ]
        let text = (lines + extra + ["", "Content-Type: text/plain", "", "Hello"]).joined(separator: "\r\n")
        return try CPIMMessage(parsing: Array(text.utf8))
    }

    static let bob = CPIMAddress(name: "Bob", uri: "im:bob@example.com")
    static let time = Timestamp(unixSeconds: 1_144_171_009)

    @Test("a request is found under any prefix, in order, unknown kinds kept")
    func request() throws {
        let request = try #require(DispositionRequest(Self.original()))
        #expect(request.messageID == "34jk324j")
        #expect(request.kinds.map(\.rawValue) == ["positive-delivery", "negative-delivery", "display", "new-kind"])
        #expect(request.wants(.display))
        #expect(!request.wants(.processing))
    }

    @Test("a request is printed so that it comes back")
    func printedRequest() throws {
        let request = DispositionRequest(
            messageID: "abc=",
            kinds: [.positiveDelivery, .display],
            originalTo: CPIMAddress(uri: "sip:list@example.com"),
            recordRoute: [
                CPIMAddress(uri: "sip:as1@example.com"), CPIMAddress(name: "AS 2", uri: "sip:as2@example.com"),
            ]
        )
        let made = CPIMMessage(headers: request.headers, content: MIMEEntity(contentType: "text/plain", body: []))
        #expect(DispositionRequest(try CPIMMessage(parsing: made.bytes)) == request)
    }

    @Test("a report names the message, goes back by the recorded route, and asks for nothing")
    func report() throws {
        let original = try Self.original(
            "x.IMDN-Record-Route: <sip:as1@example.com>",
            "x.IMDN-Record-Route: <sip:as2@example.com>",
            "x.Original-To: <im:team@example.com>"
        )
        let made = try IMDNReport.message(
            .display(.displayed),
            on: original,
            from: Self.bob,
            messageID: "r1",
            dateTime: Self.time
        )
        let report = try CPIMMessage(parsing: made.bytes)
        #expect(report.from == Self.bob)
        #expect(report.to == [CPIMAddress(name: "Alice", uri: "im:alice@example.com")])
        #expect(report.dateTime == Self.time)
        #expect(report.isNotification)
        #expect(report.content.disposition == "notification")
        #expect(DispositionRequest(report)?.kinds == [])
        let document = try #require(try IMDNReport.notifications(in: report).first)
        #expect(document.messageID == "34jk324j")
        #expect(document.dateTime == "2006-04-04T12:16:49-05:00")
        #expect(document.recipientURI == "im:bob@example.com")
        #expect(document.originalRecipientURI == "im:team@example.com")
        #expect(document.notification == .display(.displayed))
        #expect(IMDNReport.nextHop(of: report) == "sip:as1@example.com")
        let second = IMDNReport.forwarded(report, by: "sip:as1@example.com")
        #expect(IMDNReport.nextHop(of: second) == "sip:as2@example.com")
        #expect(IMDNReport.forwarded(second, by: "sip:other@example.com") == second)
        let last = IMDNReport.forwarded(second, by: "sip:as2@example.com")
        #expect(IMDNReport.nextHop(of: last) == "im:alice@example.com")
    }

    @Test("there is no report about a report, nor about a message without Message-ID")
    func noLoops() throws {
        let original = try Self.original()
        let report = try IMDNReport.message(
            .delivery(.delivered),
            on: original,
            from: Self.bob,
            messageID: "r1",
            dateTime: Self.time
        )
        #expect(throws: CPIMError(.unexpectedType, "")) {
            try IMDNReport.message(
                .delivery(.delivered),
                on: report,
                from: Self.bob,
                messageID: "r",
                dateTime: Self.time
            )
        }
        var anonymous = original
        anonymous.headers.removeAll { $0.name == "Message-ID" }
        #expect(DispositionRequest(anonymous) == nil)
        #expect(throws: CPIMError(.missingHeader, "")) {
            try IMDNReport.message(
                .delivery(.delivered),
                on: anonymous,
                from: Self.bob,
                messageID: "r",
                dateTime: Self.time
            )
        }
        // A request that a notification carries all the same is ignored.
        var asking = report
        asking.headers.append(CPIMHeader("Disposition-Notification", prefix: "imdn", value: "display"))
        #expect(DispositionRequest(asking)?.kinds == [])
    }

    @Test("several reports go in one message and come out in order")
    func aggregate() throws {
        let documents = (1...3).map { number in
            IMDNDocument(
                messageID: "m",
                dateTime: nil,
                recipientURI: "im:r\(number)@example.com",
                notification: .delivery(.delivered)
            )
        }
        let made = IMDNReport.aggregate(
            documents,
            from: CPIMAddress(uri: "im:list@example.com"),
            to: CPIMAddress(uri: "im:alice@example.com"),
            messageID: "agg1",
            dateTime: Self.time
        )
        let parsed = try CPIMMessage(parsing: made.bytes)
        #expect(parsed.isNotification)
        #expect(try IMDNReport.notifications(in: parsed) == documents)
    }

    /// As liblinphone sends it: zlib format, no NS, no Message-ID.
    @Test("a compressed notification without a Message-ID is read")
    func compressed() throws {
        let hex =
            "789c75904d6ac3301085f706df417893457124bb692842560a0d3981bbc94eb52661c01a194b2ec9ed2b9734"
            + "4d1bba9cf7defc7cb31bbd934c051ce4fb0b9c8c1b7a5876dee93c6bfdc5307f8cad89d0a203c96a51af4a51"
            + "95a26ec5a3142b29d6fb3ccbb3574f112896ed794829072198237074961e4eaefff1b718061f30a227c9c847"
            + "3c6067e66a1ea23629cb3e600c49688a6a290a06d4798b746c8ab776573e172c4443d6f49ea029c8176ca333"
            + "35ef61a99742b398469208f12007331a17649225053947165a5d2e2bd16a57297e532a9b206382d4f78c4f7b"
            + "c5afb61aa1c301679a69447df748c57f0794851e13d4b9bce5d52a81c4295c6db05c2bfe2df27f9abe5eaa3f"
            + "011209997e"
        let body = InflateTests.hex(hex)
        let inflated = try TransferEncoding.decode(body[...], contentCoding: "deflate", maximumBytes: 65_536)
        let message = try CPIMMessage(parsing: inflated)
        #expect(message.isNotification)
        #expect(DispositionRequest(message) == nil)
        let document = try #require(try IMDNReport.notifications(in: message).first)
        #expect(document.messageID == "m1")
        #expect(document.notification == .delivery(.delivered))
    }

    @Test("broken reports are refused")
    func broken() throws {
        var message = try Self.original()
        #expect(throws: CPIMError(.unexpectedType, "")) { try IMDNReport.notifications(in: message) }
        message.content = MIMEEntity(contentType: "message/imdn+xml", body: "<imdn/>".utf8)
        #expect(throws: CPIMError(.unexpectedType, "")) { try IMDNReport.notifications(in: message) }
    }
}

@Suite("Which reports are sent")
struct DispositionReporterTests {
    typealias Event = DispositionReporter.Event
    typealias Notification = IMDNDocument.Notification

    static let everything: [DispositionRequest.Kind] = [.positiveDelivery, .negativeDelivery, .display, .processing]

    static func reporter(_ kinds: [DispositionRequest.Kind], after events: [Event] = []) -> DispositionReporter {
        var reporter = DispositionReporter(DispositionRequest(messageID: "m", kinds: kinds))
        for event in events { _ = reporter.handle(event) }
        return reporter
    }

    /// Every state (by the events that lead to it) with every event: what is sent, and whether all is told then.
    @Test("every state and event, with everything asked for")
    func table() {
        let events = Event.allCases
        #expect(events == [.delivered, .failed, .displayed, .deliveryForbidden, .displayForbidden, .displayError])
        let delivered = Notification.delivery(.delivered)
        let displayed = Notification.display(.displayed)
        let table: [([Event], [([Notification], Bool)])] = [
            (
                [],
                [
                    ([delivered], false), ([.delivery(.failed)], false), ([delivered, displayed], true),
                    ([.delivery(.forbidden)], false), ([.display(.forbidden)], false), ([.display(.error)], false),
                ]
            ),
            (
                [.delivered],
                [
                    ([], false), ([], false), ([displayed], true), ([], false), ([.display(.forbidden)], true),
                    ([.display(.error)], true),
                ]
            ),
            (
                [.displayForbidden],
                [
                    ([delivered], true), ([.delivery(.failed)], true), ([delivered], true),
                    ([.delivery(.forbidden)], true),
                    ([], false), ([], false),
                ]
            ),
            ([.displayed], [([], true), ([], true), ([], true), ([], true), ([], true), ([], true)]),
        ]
        for (before, outcomes) in table {
            for (event, outcome) in zip(events, outcomes) {
                var reporter = Self.reporter(Self.everything, after: before)
                #expect(reporter.handle(event) == outcome.0, "\(before) then \(event)")
                #expect(reporter.isSettled == outcome.1, "\(before) then \(event)")
            }
        }
    }

    @Test("what was not asked for is not told")
    func unasked() {
        for event in Event.allCases {
            var silent = DispositionReporter(nil)
            #expect(silent.isSettled)
            #expect(silent.handle(event).isEmpty)
            var processing = Self.reporter([.processing])
            #expect(processing.handle(event).isEmpty)
        }
        var negative = Self.reporter([.negativeDelivery])
        #expect(negative.handle(.delivered).isEmpty)
        #expect(negative.handle(.failed).isEmpty)
        var late = Self.reporter([.display])
        #expect(late.handle(.displayed) == [.display(.displayed)])
    }
}
