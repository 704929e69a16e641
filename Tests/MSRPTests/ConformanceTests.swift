import Foundation
import MSRP
import NIOCore
import Testing

/// Every case of the corpus, with the verdict that its manifest names.
@Suite struct ConformanceTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let file: String
        let expect: Expectation
        let bytes: [UInt8]
        var testDescription: String { self.file }
    }

    /// The values of `expect` that are more than prose.
    struct Expectation: Sendable {
        let strings: [String: String]
        let numbers: [String: Int]
        let lists: [String: [String]]
        let maps: [String: [String: String]]
        let numberLists: [String: [Int]]
        let nulls: Set<String>

        init(_ json: [String: Any]) {
            var strings: [String: String] = [:]
            var numbers: [String: Int] = [:]
            var lists: [String: [String]] = [:]
            var maps: [String: [String: String]] = [:]
            var numberLists: [String: [Int]] = [:]
            var nulls: Set<String> = []
            for (key, value) in json {
                switch value {
                case let value as String: strings[key] = value
                case let value as Int: numbers[key] = value
                case let value as [Int]: numberLists[key] = value
                case let value as [String]: lists[key] = value
                case let value as [String: Any]: maps[key] = value.mapValues { "\($0)" }
                case is NSNull: nulls.insert(key)
                default: Issue.record("a key of an unknown kind: \(key)")
                }
            }
            self.strings = strings
            self.numbers = numbers
            self.lists = lists
            self.maps = maps
            self.numberLists = numberLists
            self.nulls = nulls
        }

        var keys: Set<String> {
            Set(self.strings.keys).union(self.numbers.keys).union(self.lists.keys).union(self.maps.keys)
                .union(self.numberLists.keys).union(self.nulls)
        }
    }

    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures")
    /// The corpus that the fixtures come from, when it lies beside the repository.
    static let shared = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../shared/conformance").standardizedFileURL

    static func entries(_ manifest: URL) throws -> [[String: Any]] {
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: manifest))
        return try #require(json as? [[String: Any]]).filter { $0["protocol"] as? String == "msrp" }
    }

    static let cases: [Case] = {
        do {
            return try Self.entries(Self.fixtures.appendingPathComponent("manifest.json")).map { entry in
                let file = try #require(entry["file"] as? String)
                let name = try #require(file.split(separator: "/").last)
                return Case(
                    file: file,
                    expect: Expectation(try #require(entry["expect"] as? [String: Any])),
                    bytes: Array(try Data(contentsOf: Self.fixtures.appendingPathComponent(String(name))))
                )
            }
        } catch {
            Issue.record(error)
            return []
        }
    }()

    static let splits: [[Int]] = [[.max], [1], [7, 1, 64], [43], [2048], [3, 5, 11, 1, 130]]

    @Test func theCorpusIsThere() { #expect(Self.cases.count == 91) }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: Self.shared.path)))
    func theFixturesAreThoseOfTheCorpus() throws {
        let theirs = try Self.entries(Self.shared.appendingPathComponent("manifest.json"))
        let ours = try Self.entries(Self.fixtures.appendingPathComponent("manifest.json"))
        #expect(NSArray(array: theirs) == NSArray(array: ours))
        for entry in theirs {
            let file = try #require(entry["file"] as? String)
            let name = try #require(file.split(separator: "/").last)
            #expect(
                try Data(contentsOf: Self.shared.appendingPathComponent(file))
                    == Data(contentsOf: Self.fixtures.appendingPathComponent(String(name)))
            )
        }
    }

    @Test(arguments: Self.cases)
    func verdict(_ test: Case) throws {
        for split in Self.splits {
            let collected = Collected(test.bytes, split: split)
            switch try #require(test.expect.strings["parse"]) {
            case "ok": #expect(collected.verdict == "ok", "split \(split)")
            case "reject": #expect(collected.verdict == "reject", "split \(split)")
            case "either": #expect(["ok", "reject"].contains(collected.verdict), "split \(split)")
            case "incomplete": #expect(collected.verdict == "incomplete", "split \(split)")
            case "must not crash": break
            case let other: Issue.record("an unknown verdict: \(other)")
            }
            if test.expect.strings["parse"] != "incomplete", collected.error == nil {
                try self.checkFields(collected, test.expect)
            }
        }
    }

    private func checkFields(_ collected: Collected, _ expect: Expectation) throws {
        if let messages = expect.numbers["messages"] { #expect(collected.complete.count == messages) }
        let item = try #require(collected.frames.last)
        let head = item.head
        for key in expect.keys {
            switch key {
            case "transaction_id": #expect(head.transactionID.text == expect.strings[key])
            case "request": #expect(head.method?.rawValue == expect.maps[key]?["method"])
            case "response":
                guard case .response(let status, let comment) = head.startLine else {
                    Issue.record("no response")
                    break
                }
                #expect("\(status.rawValue)" == expect.maps[key]?["status"])
                #expect(comment == expect.maps[key]?["comment"])
            case "to_path": #expect(try self.path { try head.toPath() } == expect.lists[key])
            case "from_path": #expect(try self.path { try head.fromPath() } == expect.lists[key])
            case "to_path_equals":
                #expect(try head.toPath() == [MSRPURI(parsing: try #require(expect.strings[key]))])
            case "message_id": #expect(try head.messageID()?.text == expect.strings[key])
            case "byte_range": #expect(try head.byteRange().text == expect.strings[key])
            case "byte_range_default": #expect(try head.byteRange().text == expect.strings[key])
            case "content_type": #expect(head.contentType == expect.strings[key])
            case "success_report":
                #expect(try head.wantsSuccessReport() == (expect.strings[key] == "yes"))
            case "failure_report": #expect(try head.failureReport().rawValue == expect.strings[key])
            case "status_header": #expect(try head.reportStatus()?.text == expect.strings[key])
            case "expires": #expect(try head.seconds(named: "Expires").map(String.init) == expect.strings[key])
            case "use_nickname": #expect(head.header(named: "Use-Nickname") == expect.strings[key])
            case "continuation":
                #expect(item.end.map { String(UnicodeScalar($0.rawValue)) } == expect.strings[key])
            case "more_chunks_follow": #expect((item.end == .more) == (expect.numbers[key] == 1))
            case "body_length":
                #expect(head.hasBody == (expect.numbers[key] != nil))
                #expect(item.body.count == expect.numbers[key] ?? 0)
            case "text":
                let text = String(decoding: item.body, as: UTF8.self)
                #expect(text.components(separatedBy: "\r\n\r\n").last == expect.strings[key])
            case "imdn_requested":
                let wanted = try #require(expect.lists[key]).joined(separator: ", ")
                #expect(String(decoding: item.body, as: UTF8.self).contains("Disposition-Notification: \(wanted)\r\n"))
            case "multipart_parts":
                let parts = String(decoding: item.body, as: UTF8.self).components(separatedBy: "--b\r\n").count - 1
                #expect(parts == expect.numbers[key])
            case "parse", "messages", "note", "response_expected", "report_expected", "reassembled", "client": break
            default: Issue.record("a key that is not checked: \(key)")
            }
        }
    }

    /// A path that is not there is an empty list, as in the corpus.
    private func path(_ path: () throws -> [MSRPURI]) throws -> [String]? {
        do { return try path().map(\.text) } catch let error as MSRPError where error.code == .missingHeader {
            return nil
        }
    }

    // MARK: What a session does with it

    private func session(for test: Case) -> Session {
        if test.file.contains("own-") { return .bound() }
        let head = Collected(test.bytes, split: [.max]).frames.first?.head
        let local = (try? head?.toPath())?.first ?? .bob
        let remote = (try? head?.fromPath())?.last ?? .alice
        return .bound(local: local, remote: [remote])
    }

    @Test(arguments: Self.cases.filter { $0.expect.keys.contains("response_expected") })
    func response(_ test: Case) throws {
        var session = self.session(for: test)
        var output = FrameOutput(framing: .stream)
        var driven = Driven()
        try driven.feed(test.bytes, to: &session, now: .uptimeNanoseconds(0), into: &output)
        var statuses = output.collected().frames.compactMap { $0.head.status }.map { Int($0.rawValue) }
        // A request that does not say where it comes from cannot be answered; it is known what is wrong all the same.
        statuses += driven.unanswerable.map { Int($0.responseStatus.rawValue) }
        let expect = test.expect
        if expect.nulls.contains("response_expected") {
            #expect(statuses.isEmpty)
        } else if let status = expect.numbers["response_expected"] {
            #expect(statuses == [status])
        } else if let list = expect.numberLists["response_expected"] {
            #expect(statuses.count == 1 && statuses.allSatisfy(list.contains))
        } else {
            #expect(expect.strings["response_expected"] == "none on success, error responses only")
            #expect(statuses.isEmpty)
            // The same request for a session that is not there.
            var other = Session.bound(local: .alice)
            try driven.feed(test.bytes, to: &other, now: .uptimeNanoseconds(0), into: &output)
            #expect(output.collected().frames.compactMap { $0.head.status } == [.noSuchSession])
        }
    }

    @Test(arguments: Self.cases.filter { $0.expect.keys.contains("report_expected") })
    func report(_ test: Case) throws {
        var session = self.session(for: test)
        var output = FrameOutput(framing: .stream)
        var driven = Driven()
        try driven.feed(test.bytes, to: &session, now: .uptimeNanoseconds(0), into: &output)
        let report = try #require(output.collected().frames.first { $0.head.method == .report }?.head)
        let expect = try #require(test.expect.maps["report_expected"])
        #expect(try report.reportStatus()?.text == expect["status_header"])
        #expect(try report.byteRange().text == expect["byte_range"])
        #expect(try report.messageID()?.text == expect["message_id"])
    }

    @Test(arguments: Self.cases.filter { $0.expect.keys.contains("reassembled") })
    func reassembly(_ test: Case) throws {
        var session = self.session(for: test)
        var output = FrameOutput(framing: .stream)
        var driven = Driven()
        try driven.feed(test.bytes, to: &session, now: .uptimeNanoseconds(0), into: &output)
        let texts = driven.completed.map { String(decoding: driven.contents[$0] ?? [], as: UTF8.self) }
        if let text = test.expect.strings["reassembled"] {
            #expect(texts == [text])
        } else {
            let map = try #require(test.expect.maps["reassembled"])
            #expect(Set(driven.completed.map(\.text)) == Set(map.keys))
            #expect(texts.sorted() == map.values.sorted())
        }
    }

    @Test(arguments: Self.cases.filter { $0.expect.keys.contains("client") })
    func client(_ test: Case) throws {
        var session = self.session(for: test)
        var output = FrameOutput(framing: .stream)
        // A message whose id is the one in the corpus, of which a first chunk has been sent.
        let id = try MessageID(validating: "m1m1")
        try session.sender.start(.init(id: id, contentType: "text/plain", size: 13))
        _ = try session.sender.supply(ByteBuffer(string: "Hello"), to: id)
        let step = try #require(session.writeNext(now: .uptimeNanoseconds(0), into: &output))
        var text = String(decoding: test.bytes, as: UTF8.self).replacing("ID: m1\r\n", with: "ID: m1m1\r\n")
        let expected: MessageSender.OnAnswer
        switch try #require(test.expect.strings["client"]) {
        case "ignore": expected = .ignore
        case "treat as a failure":
            let foreign = Collected(test.bytes, split: [.max]).frames[0].head.transactionID.text
            text = text.replacing(foreign, with: step.chunk.transactionID.text)
            expected = .result(.init(id: id, outcome: .failed(try #require(MSRPStatus(rawValue: 499)))))
        default:
            #expect(test.expect.strings["client"] == "stop sending the rest of m1")
            expected = .result(.init(id: id, outcome: .failed(.stopSending)))
        }
        var driven = Driven()
        try driven.feed(Array(text.utf8), to: &session, now: .uptimeNanoseconds(1), into: &output)
        #expect(driven.answers == [expected])
        guard expected != .ignore else { return }
        #expect(session.sender.messageCount == 0)
        #expect(session.writeNext(now: .uptimeNanoseconds(2), into: &output) == nil)
    }
}
