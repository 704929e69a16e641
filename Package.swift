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

let package = Package(
    name: "continuo",
    platforms: [.macOS(.v15)],
    dependencies: [
        dependency("apple/swift-argument-parser", exact: "1.8.2"),
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
    targets: [
        .target(name: "MessagingCore", swiftSettings: settings),
        .target(name: "Store", dependencies: ["MessagingCore"], swiftSettings: settings),
        .target(
            name: "SQLiteStore",
            dependencies: [
                "MessagingCore", "Store", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "BlobStore",
            dependencies: ["MessagingCore", .product(name: "Crypto", package: "swift-crypto"), nio("NIOCore")],
            swiftSettings: settings
        ),
        .target(name: "ClientWire", dependencies: ["MessagingCore"], swiftSettings: settings),
        .target(
            name: "MessagingService",
            dependencies: [
                "ClientWire", "MessagingCore", "Store",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "AppGateway",
            dependencies: [
                "ClientWire", "MessagingCore", "MessagingService", "Store",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                nio("NIOCore"), nio("NIOHTTP1"), nio("NIOWebSocket"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(name: "StoreConformance", dependencies: ["Store"], swiftSettings: settings),
        .testTarget(name: "TidyTests", swiftSettings: settings),
        .testTarget(name: "MessagingCoreTests", dependencies: ["MessagingCore"], swiftSettings: settings),
        .testTarget(
            name: "MessagingServiceTests",
            dependencies: ["MessagingService", "ClientWire", "Store"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "AppGatewayTests",
            dependencies: [
                "AppGateway", "BlobStore", "ClientWire", "MessagingCore", "MessagingService", "Store",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                nio("NIOCore"), nio("NIOPosix"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "continuo",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings
        ),
    ]
)
