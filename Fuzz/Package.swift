// swift-tools-version: 6.2
import PackageDescription

/// The fuzz targets, beside the root package so that a plain build stays light.
///
/// Build and run them with `Fuzz/run.sh`, which passes the flags of the sanitizers.
struct Fuzzer {
    /// The executable is `fuzz-<name>`, its folder of the same name.
    let name: String
    /// The products of the root package that it needs.
    let products: [String]
    /// Whether it handles NIO's buffers itself.
    var usesBuffers = false
}

let fuzzers = [
    Fuzzer(name: "canary", products: []),
    Fuzzer(name: "cpim", products: ["CPIM"]),
    Fuzzer(name: "decode", products: ["ProtocolDecoding"]),
    Fuzzer(name: "dns", products: ["SIPTransport"], usesBuffers: true),
    Fuzzer(name: "inflate", products: ["CPIM"]),
    Fuzzer(name: "msrp-frames", products: ["MSRP"], usesBuffers: true),
    Fuzzer(name: "msrp-reassembly", products: ["MSRP"], usesBuffers: true),
    Fuzzer(name: "multipart", products: ["CPIM"]),
    Fuzzer(name: "sdp", products: ["SDP"]),
    Fuzzer(name: "sip", products: ["SIP"], usesBuffers: true),
    Fuzzer(name: "sip-stream", products: ["SIP"], usesBuffers: true),
    Fuzzer(name: "sip-uri", products: ["SIP"]),
    Fuzzer(name: "xml", products: ["XMLBodies"]),
]

let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "continuo", path: ".."),
        .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
    ],
    targets: [
        .target(name: "CFuzzerDriver"),
        .target(name: "FuzzSupport", dependencies: ["CFuzzerDriver"]),
    ]
        + fuzzers.map { fuzzer in
            .executableTarget(
                name: "fuzz-\(fuzzer.name)",
                dependencies: ["FuzzSupport"]
                    + fuzzer.products.map { .product(name: $0, package: "continuo") }
                    + (fuzzer.usesBuffers ? [.product(name: "NIOCore", package: "swift-nio")] : [])
            )
        }
)
