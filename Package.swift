// swift-tools-version: 6.2
import PackageDescription

/// Every target is held to the same language rules.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// Where the packages that we depend on live.
func dependency(
    _ path: String,
    exact version: Version,
    traits: Set<Package.Dependency.Trait>? = nil
) -> Package.Dependency {
    let url = "https://github.com/\(path).git"
    guard let traits else { return .package(url: url, exact: version) }
    return .package(url: url, exact: version, traits: traits)
}

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")

func library(_ name: String) -> Product { .library(name: name, targets: [name]) }

func target(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(of name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

func executable(
    _ name: String,
    path: String? = nil,
    exclude: [String] = [],
    _ dependencies: [Target.Dependency]
) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: settings)
}

// MARK: - The protocol libraries, which know nothing of Continuo

let protocolLibraries: [Target] = [
    .target(name: "ByteGrammar", swiftSettings: settings + [.enableExperimentalFeature("Lifetimes")]),
    target("XMLBodies"),
    target("CPIM", ["ByteGrammar", "XMLBodies"]),
    target("SDP", ["ByteGrammar"]),
    target("SIP", ["ByteGrammar", nio("NIOCore"), crypto]),
    target(
        "SIPTransport",
        ["ByteGrammar", "SIP", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOWebSocket"), nioSSL]
    ),
    target("MSRP", [nio("NIOCore"), crypto, deque]),
    target(
        "MSRPTransport",
        [
            "MSRP", nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOWebSocket"), nio("NIOTLS"), nioSSL,
            deque,
        ]
    ),
    target("ProtocolDecoding", ["CPIM", "MSRP", "SDP", "SIP", "XMLBodies", nio("NIOCore")]),
]

let protocolTests: [Target] = [
    tests(of: "ByteGrammar", ["ByteGrammar"]),
    tests(of: "XMLBodies", ["XMLBodies"]),
    tests(of: "CPIM", ["CPIM", "XMLBodies"], exclude: ["Fixtures"]),
    tests(of: "SDP", ["SDP"]),
    .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
    tests(of: "SIP", ["ByteGrammar", "CAllocationCount", "SIP", nio("NIOCore"), crypto], exclude: ["Fixtures"]),
    tests(
        of: "SIPTransport",
        [
            "SIP", "SIPTransport", nio("NIOCore"), nio("NIOPosix"), nio("NIOEmbedded"), nio("NIOHTTP1"),
            nio("NIOWebSocket"), nioSSL,
        ],
        exclude: ["Scenarios"]
    ),
    tests(of: "MSRP", ["MSRP", nio("NIOCore")], exclude: ["Fixtures"]),
    tests(of: "MSRPTransport", ["MSRP", "MSRPTransport", nio("NIOCore"), nio("NIOPosix"), nioSSL]),
    tests(
        of: "ProtocolDecoding",
        ["CPIM", "MSRP", "ProtocolDecoding", "SDP", "XMLBodies"],
        exclude: ["Fixtures"]
    ),
]

let exampleTests: [Target] = [
    tests(of: "Examples", ["cpim-report", "msrp-file", "sdp-answer"])
]

let protocolTools: [Target] = [
    executable(
        "sip-echo",
        path: "Examples/sip-echo",
        ["SIP", "SIPTransport", nio("NIOCore"), nio("NIOPosix")]
    ),
    executable("sdp-answer", path: "Examples/sdp-answer", ["SDP"]),
    executable("cpim-report", path: "Examples/cpim-report", ["CPIM"]),
    executable(
        "msrp-file",
        path: "Examples/msrp-file",
        ["MSRP", "MSRPTransport", nio("NIOCore"), nio("NIOPosix"), nioSSL, arguments]
    ),
]

// MARK: - The server, from the pure core up

let serverLibraries: [Target] = [
    target("MessagingCore"),
    target("SessionCore", ["MessagingCore"]),
    target("ClientWire", ["MessagingCore", "SessionCore"]),
    target("MediaSignalling", ["ClientWire", "SDP", "SessionCore"]),
    target(
        "MediaRelaying",
        ["MediaSignalling", "SDP", "SIPTransport", logging, nio("NIOCore"), nio("NIOPosix")]
    ),
    target("MessageSignalling", ["MSRP", "SDP", "SIP"]),
    target("PhonePrograms"),
    target("Store", ["MessagingCore"]),
    target("MemoryStore", ["MessagingCore", "Store"]),
    target("StoreConformance", ["MessagingCore", "Store"]),
    target(
        "SQLiteStore",
        [
            "MessagingCore", "Store", .product(name: "GRDB", package: "GRDB.swift"),
            .product(name: "GRDBSQLite", package: "GRDB.swift"),
        ]
    ),
    target(
        "MessagingService",
        ["ClientWire", "MessagingCore", "SessionCore", "Store", crypto, cryptoExtras, logging]
    ),
    target("BlobStore", ["MessagingCore", "Store", crypto]),
    .target(
        name: "CWebFiles",
        exclude: ["web", "tsconfig.json", "tsconfig.worker.json"],
        linkerSettings: [.linkedLibrary("z")]
    ),
    target("WebFiles", ["CWebFiles", crypto]),
    target(
        "AppGateway",
        [
            "ClientWire", "MessagingCore", "MessagingService", "SessionCore", "Store", "WebFiles", crypto, httpTypes,
            .product(name: "Hummingbird", package: "hummingbird"), logging, metrics,
            nio("NIOCore"), nio("NIOHTTP1"), nio("NIOWebSocket"),
            .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
            .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
            nioSSL, lifecycle, .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        ]
    ),
    target(
        "Interconnect",
        [
            "ByteGrammar", "CPIM", "ClientWire", "MSRP", "MSRPTransport", "MediaRelaying", "MediaSignalling",
            "MessageSignalling", "MessagingCore", "MessagingService", "SDP", "SIP", "SIPTransport", "SessionCore",
            "XMLBodies", crypto,
            logging, nio("NIOCore"), nio("NIOPosix"), nio("NIOTLS"), nioSSL,
        ]
    ),
    target(
        "SIPGateway",
        [
            "ByteGrammar", "CPIM", "ClientWire", "MSRP", "MSRPTransport", "MediaRelaying", "MediaSignalling",
            "MessageSignalling", "MessagingCore", "MessagingService", "SDP", "SIP", "SIPTransport", "SessionCore",
            "Store", "XMLBodies",
            crypto, lifecycle, logging, nio("NIOCore"), nio("NIOPosix"), nioSSL,
        ]
    ),
    target(
        "ContinuoServer",
        [
            "AppGateway", "BlobStore", "Interconnect", "MessagingCore", "MessagingService", "SIP", "SIPGateway",
            "SIPTransport", "SQLiteStore", "Store", "WebFiles", crypto, logging, nio("NIOCore"), nio("NIOPosix"),
            nioSSL,
            lifecycle,
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            .product(name: "Yams", package: "Yams"),
        ]
    ),
    target(
        "ContinuoClient",
        [
            "ClientWire", "MessagingCore", "SessionCore", crypto, httpClient, nio("NIOCore"), nio("NIOPosix"),
            nio("NIOHTTP1"), nio("NIOWebSocket"), nioSSL,
        ]
    ),
]

let serverTools: [Target] = [
    target(
        "ContinuoBench",
        [
            "ClientWire", "MessagingCore", "MSRP", "MSRPTransport", "SessionCore", "SIP", "SIPTransport", httpClient,
            nio("NIOCore"), nio("NIOPosix"), nio("NIOHTTP1"), nio("NIOWebSocket"), nioSSL,
        ]
    )
]

let serverTests: [Target] = [
    .testTarget(name: "TidyTests", swiftSettings: settings),
    tests(of: "MessagingCore", ["MessagingCore"]),
    tests(of: "SessionCore", ["MessagingCore", "SessionCore"]),
    executable("store-crash-writer", path: "Tests/StoreCrashWriter", ["MessagingCore", "SQLiteStore", "Store"]),
    tests(
        of: "Store",
        [
            "MemoryStore", "MessagingCore", "SQLiteStore", "Store", "StoreConformance",
            "store-crash-writer",
            .product(name: "GRDB", package: "GRDB.swift"),
        ]
    ),
    tests(
        of: "MessagingService",
        [
            "BlobStore", "ClientWire", "MemoryStore", "MessagingCore", "MessagingService", "SQLiteStore", "SessionCore",
            "Store", logging,
        ]
    ),
    tests(
        of: "AppGateway",
        [
            "AppGateway", "BlobStore", "ClientWire", "MemoryStore", "MessagingCore", "MessagingService", "SessionCore",
            "Store",
            "WebFiles", crypto, httpTypes, logging, metrics, nio("NIOCore"), nio("NIOPosix"), nioSSL, lifecycle,
        ]
    ),
    tests(
        of: "Interconnect",
        [
            "BlobStore", "CPIM", "ClientWire", "ContinuoClient", "Interconnect", "MediaRelaying", "MediaSignalling",
            "MessageSignalling", "MessagingCore", "MessagingService", "MSRP", "MSRPTransport", "PhonePrograms", "SDP",
            "SIP", "SIPGateway",
            "SIPTransport", "SQLiteStore", "Store", "SessionCore", "XMLBodies", crypto, logging, nio("NIOCore"),
            nio("NIOPosix"), nioSSL,
        ],
        exclude: ["Scenarios"]
    ),
    tests(
        of: "SIPGateway",
        [
            "BlobStore", "CPIM", "ClientWire", "MSRP", "MSRPTransport", "MediaRelaying", "MediaSignalling",
            "MessageSignalling", "MessagingCore", "MessagingService", "PhonePrograms", "SDP", "SIP", "SIPGateway",
            "SIPTransport",
            "SQLiteStore", "SessionCore", "Store", "XMLBodies", logging, nio("NIOCore"),
            nio("NIOPosix"), nioSSL,
        ],
        exclude: ["Clients", "Scenarios"]
    ),
    tests(of: "ContinuoServer", ["ClientWire", "ContinuoServer", "Interconnect", "MessagingCore"]),
    tests(
        of: "ContinuoClient",
        ["ClientWire", "ContinuoClient", "MessagingCore", nio("NIOCore"), nio("NIOPosix")]
    ),
    tests(
        of: "EndToEnd",
        ["ClientWire", "ContinuoClient", "MessagingCore", nio("NIOCore"), nio("NIOPosix"), "continuo"]
    ),
]

let executables: [Target] = [
    executable(
        "continuo",
        [
            "AppGateway", "ClientWire", "ContinuoBench", "ContinuoClient", "ContinuoServer", "MessagingCore",
            "MessagingService", "PhonePrograms", "ProtocolDecoding", "SessionCore", "WebFiles",
            arguments, crypto, httpClient, logging, nio("NIOCore"), nio("NIOHTTP1"),
            .product(name: "X509", package: "swift-certificates"),
            .product(name: "SwiftASN1", package: "swift-asn1"),
        ]
    )
]

let package = Package(
    name: "continuo",
    platforms: [.macOS(.v15)],
    products: [
        library("SIP"), library("SIPTransport"), library("SDP"), library("CPIM"), library("XMLBodies"),
        library("MSRP"), library("MSRPTransport"), library("ProtocolDecoding"), library("ContinuoClient"),
        library("Store"), library("StoreConformance"),
        .executable(name: "continuo", targets: ["continuo"]),
    ],
    dependencies: [
        dependency("apple/swift-argument-parser", exact: "1.8.2"),
        dependency("apple/swift-asn1", exact: "1.7.4"),
        dependency("apple/swift-certificates", exact: "1.21.1"),
        dependency("apple/swift-collections", exact: "1.6.0"),
        dependency("apple/swift-crypto", exact: "4.5.2"),
        dependency("apple/swift-http-types", exact: "1.8.0"),
        dependency("apple/swift-log", exact: "1.16.2"),
        dependency("apple/swift-metrics", exact: "2.13.0"),
        dependency("apple/swift-nio", exact: "2.101.2"),
        dependency("apple/swift-nio-extras", exact: "1.35.2"),
        dependency("apple/swift-nio-ssl", exact: "2.37.6"),
        dependency("groue/GRDB.swift", exact: "7.10.0"),
        dependency("hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        dependency("swift-server/async-http-client", exact: "1.37.0"),
        dependency("swift-server/swift-service-lifecycle", exact: "2.13.0"),
        dependency("jpsim/Yams", exact: "6.2.2"),
    ],
    targets: protocolLibraries + protocolTests + protocolTools + exampleTests + serverLibraries + serverTools
        + serverTests
        + executables
)
