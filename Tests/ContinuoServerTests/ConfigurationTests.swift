import Foundation
import Interconnect
import Testing

@testable import ContinuoServer

@Suite("Configuration")
struct ConfigurationTests {
    @Test("the commented file reads back as what it was written from")
    func roundTrip() throws {
        var configuration = Configuration()
        configuration.data = "/var/lib/continuo"
        configuration.domains = ["a.example", "b.example"]
        configuration.listen.port = 9000
        #expect(try Configuration(yaml: configuration.commentedYAML, source: "test") == configuration)
    }

    @Test("everything wrong is told at once, each with its line and its mend")
    func allProblems() throws {
        let yaml = """
            data: ""
            domians: [a.example]
            client:
              listen: nowhere
              allow-plain: perhaps
            operator:
              listen: 0.0.0.0:8081
            passwords:
              cost: 99
            log:
              level: loud
            """
        let error = try #require(throws: ConfigurationError.self) { try Configuration(yaml: yaml, source: "test.yaml") }
        let keys = Set(error.problems.map(\.key))
        #expect(
            keys == [
                "data", "domians", "client.listen", "client.allow-plain", "operator.listen", "passwords.cost",
                "log.level",
            ]
        )
        #expect(error.problems.allSatisfy { !$0.mend.isEmpty })
        #expect(error.description.contains("did you mean domains?"))
        #expect(error.problems.first { $0.key == "log.level" }?.line == 11)
    }

    @Test("plain HTTP is refused where others can reach it, unless told")
    func plain() throws {
        let open = "client:\n  listen: 0.0.0.0:8080\n"
        #expect(throws: ConfigurationError.self) { try Configuration(yaml: open, source: "t") }
        let told = open + "  allow-plain: true\n"
        #expect(try Configuration(yaml: told + "  public-url: http://a.example\n", source: "t").allowPlain)
        // Links would lead to 0.0.0.0.
        let error = try #require(throws: ConfigurationError.self) { try Configuration(yaml: told, source: "t") }
        #expect(error.problems.map(\.key) == ["client.public-url"])
    }

    @Test(
        "what would have no effect is told",
        arguments: [
            ("interconnect:\n  peers: [{domain: b.example}]\n", "interconnect.listen"),
            ("sip:\n  realm: a.example\n", "sip"),
            ("media:\n  turn: ['turn:relay.example.org']\n", "media.turn"),
            ("media:\n  turn-secret: x\n", "media.turn"),
        ]
    )
    func withoutEffect(yaml: String, key: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try Configuration(yaml: yaml, source: "t") }
        #expect(error.problems.map(\.key) == [key])
    }

    @Test("the relay of calls with other providers' telephones needs no door for phones of ours")
    func relay() throws {
        let yaml =
            "interconnect:\n  listen: 127.0.0.1:5061\n  certificate: /dev/null\n  key: /dev/null\n"
            + "  authorities: /dev/null\n"
        let relay = "sip:\n  rtpengine: 127.0.0.1:2223\n"
        #expect(try Configuration(yaml: yaml + relay, source: "t").sip.relay?.port == 2223)
        #expect(throws: ConfigurationError.self) { try Configuration(yaml: relay, source: "t") }
    }

    @Test("each provider takes files in a way of its own")
    func files() throws {
        let peers = { (ways: [String]) in
            let list = ways.enumerated().map { "{domain: p\($0.offset).example\($0.element)}" }
            return "client:\n  public-url: https://a.example\ninterconnect:\n  listen: 127.0.0.1:5061\n"
                + "  certificate: /dev/null\n  key: /dev/null\n  authorities: /dev/null\n"
                + "  peers: [\(list.joined(separator: ", "))]\n"
        }
        let ways = ["", ", files: msrp", ", files: transfer", ", files: link", ", link-from: 100, files: link"]
        let configuration = try Configuration(yaml: peers(ways), source: "t")
        let read: [FileWay] = [.messages, .messages, .transfers, .links(from: 0), .links(from: 100)]
        #expect(configuration.peering.peers.map(\.files) == read)
        #expect(throws: ConfigurationError.self) { try Configuration(yaml: peers([", files: pigeon"]), source: "t") }
    }

    @Test("one server at a time uses a data folder; its token is its owner's alone")
    func folder() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("d-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try DataFolder(path)
        #expect(throws: DataFolderError.self) { try DataFolder(path) }
        let token = try folder.operatorToken()
        #expect(token.count == 64)
        #expect(try folder.operatorToken() == token)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.operatorTokenFile)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    }

    @Test("other users of the machine do not read the database, also in a folder that was there before")
    func database() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("d-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o755]
        )
        let rights = {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + "/continuo.sqlite")
            return (attributes[.posixPermissions] as? NSNumber)?.intValue
        }
        let folder = try DataFolder(path)
        try folder.guardDatabase()
        #expect(try rights() == 0o600)
        // A group may be let in; nobody else.
        chmod(folder.database, 0o644)
        try folder.guardDatabase()
        #expect(try rights() == 0o640)
    }
}
