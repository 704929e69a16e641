import Foundation
import Testing

/// The tree's own rules, read from the sources: who may import whom, what the core must not touch, how files look.
@Suite("The tree keeps its rules")
struct TidyTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Arrows point down only: what each target's sources may import, beside the standard library.
    static let allowed: [String: Set<String>] = [
        "ByteGrammar": [],
        "SIP": ["ByteGrammar", "NIOCore", "Crypto", "Synchronization"],
        "SDP": ["ByteGrammar", "NIOCore"],
        "CPIM": ["ByteGrammar", "XMLBodies", "NIOCore", "CZlib"],
        "XMLBodies": ["ByteGrammar", "NIOCore"],
        "MSRP": ["ByteGrammar", "NIOCore", "Crypto", "DequeModule"],
        "ProtocolDecoding": [
            "ByteGrammar", "SIP", "SDP", "CPIM", "XMLBodies", "MSRP", "NIOCore", "FoundationEssentials", "Foundation",
        ],
        "SIPTransport": [
            "SIP", "ByteGrammar", "NIOCore", "NIOPosix", "NIOSSL", "NIOHTTP1", "NIOWebSocket", "NIOConcurrencyHelpers",
            "Synchronization", "Logging", "Crypto", "Glibc", "Darwin",
        ],
        "MSRPTransport": [
            "MSRP", "ByteGrammar", "NIOCore", "NIOPosix", "NIOSSL", "NIOHTTP1", "NIOWebSocket", "NIOTLS",
            "NIOConcurrencyHelpers", "Synchronization", "Logging", "Crypto", "Glibc", "DequeModule",
        ],
        "MessagingCore": [],
        "SessionCore": ["MessagingCore"],
        "ClientWire": ["MessagingCore", "SessionCore", "FoundationEssentials"],
        "MediaSignalling": ["ClientWire", "SDP", "SessionCore"],
        "MediaRelaying": ["MediaSignalling", "SDP", "SIPTransport", "Logging", "NIOCore", "NIOPosix"],
        "MessageSignalling": ["MSRP", "SDP", "SIP"],
        "PhonePrograms": ["Foundation"],
        "Store": ["MessagingCore", "Synchronization", "Dispatch", "Foundation"],
        "MemoryStore": ["MessagingCore", "Store", "Synchronization", "Dispatch"],
        "StoreConformance": ["MessagingCore", "Store", "Synchronization", "Dispatch"],
        "SQLiteStore": [
            "MessagingCore", "Store", "GRDB", "Synchronization", "FoundationEssentials", "Foundation",
            "GRDBSQLite",
            "Dispatch",
        ],
        "BlobStore": [
            "MessagingCore", "Store", "Crypto", "FoundationEssentials", "Glibc", "Synchronization",
        ],
        "MessagingService": [
            "ClientWire", "MessagingCore", "SessionCore", "Store", "Crypto", "CryptoExtras", "Logging",
            "Synchronization",
            "FoundationEssentials", "Dispatch",
        ],
        "WebFiles": ["CWebFiles", "Crypto", "Foundation"],
        "Interconnect": [
            "ByteGrammar", "CPIM", "ClientWire", "MSRP", "MSRPTransport", "MediaRelaying", "MediaSignalling",
            "MessageSignalling", "MessagingCore", "MessagingService", "SDP", "SIP", "SIPTransport", "SessionCore",
            "XMLBodies", "Crypto",
            "FoundationEssentials", "Logging", "NIOCore",
            "NIOPosix", "NIOSSL", "NIOTLS", "Synchronization",
        ],
        "AppGateway": [
            "ClientWire", "MessagingCore", "MessagingService", "SessionCore", "Store", "WebFiles", "Hummingbird",
            "HummingbirdCore",
            "HummingbirdTLS", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOWebSocket", "NIOSSL", "NIOTLS", "HTTPTypes",
            "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "Logging", "Metrics", "ServiceLifecycle", "Crypto", "Synchronization",
            "FoundationEssentials", "Foundation", "NIOConcurrencyHelpers", "COpenAPI", "AsyncAlgorithms", "Glibc",
            "UnixSignals", "NIOExtras", "CoreMetrics",
        ],
        "SIPGateway": [
            "ByteGrammar", "CPIM", "ClientWire", "MSRP", "MSRPTransport", "MediaRelaying", "MediaSignalling",
            "MessageSignalling", "MessagingCore", "MessagingService", "SDP", "SIP", "SIPTransport", "SessionCore",
            "Store", "XMLBodies",
            "Crypto", "FoundationEssentials", "Logging", "NIOCore",
            "NIOPosix",
            "NIOSSL",
            "ServiceLifecycle", "Synchronization",
        ],
        "ContinuoClient": [
            "ClientWire", "MessagingCore", "SessionCore", "AsyncHTTPClient", "NIOCore", "NIOPosix", "NIOHTTP1",
            "NIOWebSocket",
            "NIOSSL", "NIOFoundationCompat", "Crypto", "Synchronization", "FoundationEssentials", "Foundation",
            "Logging", "Glibc", "NIOConcurrencyHelpers",
        ],
    ]

    static func sources(of target: String) throws -> [URL] {
        let folder = root.appendingPathComponent("Sources/\(target)")
        guard let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else { return [] }
        return files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
    }

    static func imports(of text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let keyword = words.firstIndex(of: "import"), keyword <= 2, words.count > keyword + 1,
                words[..<keyword].allSatisfy({
                    ["public", "package", "internal", "@testable", "@preconcurrency", "@_exported"].contains($0)
                })
            else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "typealias", "let", "var"]
            let name = kinds.contains(words[keyword + 1]) ? words.last ?? "" : words[keyword + 1]
            return String(name.split(separator: ".").first ?? "")
        }
    }

    @Test("each target imports only what lies below it", arguments: Self.allowed.keys.sorted())
    func imports(_ target: String) throws {
        let allowed = try #require(Self.allowed[target])
        for file in try Self.sources(of: target) {
            let text = try String(contentsOf: file, encoding: .utf8)
            for module in Self.imports(of: text) {
                #expect(
                    allowed.contains(module),
                    "\(file.lastPathComponent) imports \(module), which \(target) may not"
                )
            }
        }
    }

    @Test("every library target stands in the table")
    func table() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            at: Self.root.appendingPathComponent("Sources"),
            includingPropertiesForKeys: nil
        )
        let exempt: Set<String> = ["continuo", "ContinuoBench", "ContinuoServer"]
        for folder in folders where folder.hasDirectoryPath {
            let name = folder.lastPathComponent
            guard try !Self.sources(of: name).isEmpty, !exempt.contains(name) else { continue }
            #expect(Self.allowed[name] != nil, "\(name) is missing in the table of imports")
        }
    }

    @Test("the core has no clock, no randomness, no threads of its own")
    func pureCore() throws {
        let banned = [
            "Date()", "Date.now", ".random(", "SystemRandomNumberGenerator", "Task {", "Task.", "DispatchQueue",
            "ContinuousClock", "SuspendingClock", "UUID()", "print(", "async ", "await ",
        ]
        for file in try ["MessagingCore", "SessionCore"].flatMap(Self.sources(of:)) {
            let text = try String(contentsOf: file, encoding: .utf8)
            for word in banned {
                #expect(!text.contains(word), "\(file.lastPathComponent) uses \(word)")
            }
        }
    }

    @Test("nothing is left for later, and nothing traps on purpose")
    func leftovers() throws {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "fatal" + "Error(", "try" + "!", "as" + "! "]
        let folder = Self.root.appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            for mark in marks {
                #expect(!text.contains(mark), "\(file.lastPathComponent) has \(mark)")
            }
        }
    }

    @Test("tests are of one kind: the script that runs them starts no other")
    func oneKindOfTests() throws {
        let folder = Self.root.appendingPathComponent("Tests")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(!text.contains("import XC" + "Test"), "\(file.lastPathComponent) would never run")
        }
    }

    @Test("files stay short enough to be read")
    func lengths() throws {
        let folder = Self.root.appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            let lines = try String(contentsOf: file, encoding: .utf8).split(
                separator: "\n",
                omittingEmptySubsequences: false
            ).count
            #expect(lines <= 620, "\(file.lastPathComponent) has \(lines) lines: split it by aspect")
        }
    }

    @Test("the format configuration names the very keys that the formatter knows")
    func formatConfiguration() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["swift", "format", "dump-configuration"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let dumped = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        func keys(_ data: Data) throws -> (Set<String>, Set<String>) {
            let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            let rules = try #require(object["rules"] as? [String: Any])
            return (Set(object.keys), Set(rules.keys))
        }
        let known = try keys(dumped)
        let ours = try keys(Data(contentsOf: Self.root.appendingPathComponent(".swift-format")))
        #expect(ours == known)
    }
}
