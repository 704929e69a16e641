import ClientWire
import FoundationEssentials
import HTTPTypes
import Hummingbird
public import MessagingCore
import NIOCore
public import WebFiles

/// Serves the web client: pages, and the files they load.
///
/// Every device of a browser has a path of its own, `/d/NAME/`: its service worker's scope, and the name of its storage.
/// The demo's devices live below `/demo/`, the only place whose pages may stand in frames.
public struct WebPages: Sendable {
    /// What the demo page shows: devices that log in by themselves.
    public struct Demo: Sendable, Encodable {
        /// One frame of the demo.
        public struct Device: Sendable, Encodable {
            public var name: String
            public var label: String
            public var kind: DeviceKind
            public var address: Address
            /// Where its provider serves pages, such as `http://127.0.0.1:8082`; nil for the one that serves the demo page.
            public var origin: String?

            /// A device with its place, its label and whose it is.
            public init(name: String, label: String, kind: DeviceKind, address: Address, origin: String? = nil) {
                self.name = name
                self.label = label
                self.kind = kind
                self.address = address
                self.origin = origin
            }
        }

        public var devices: [Device]
        public var password: String
        /// The other provider's origin, whose demo page frames devices of this one; nil when there is none.
        let framedBy: String?

        private enum CodingKeys: CodingKey {
            case devices, password
        }

        /// The devices of people who all have one password.
        public init(devices: [Device], password: String, framedBy: String? = nil) {
            self.devices = devices
            self.password = password
            self.framedBy = framedBy
        }

        /// The providers beside this one whose devices the demo page frames.
        var origins: [String] { Set(devices.compactMap(\.origin)).sorted() }

        /// Encodes what the pages need to know.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(devices, forKey: .devices)
            try container.encode(password, forKey: .password)
        }
    }

    private let files: WebFiles
    private let demo: Demo?
    private let front: String
    private let hasDevices: Bool

    /// The client's pages.
    /// - Parameter demo: nil for a server that has no demo.
    public init(files: WebFiles = .embedded, demo: Demo? = nil) {
        self.files = files
        self.demo = demo
        front = "index.html"
        hasDevices = true
    }

    /// The operator's page, for the operator's door.
    public init(operatorPageIn files: WebFiles) {
        self.files = files
        demo = nil
        front = "operator/index.html"
        hasDevices = false
    }

    /// The operator's page out of the same files.
    public var forOperators: WebPages { WebPages(operatorPageIn: files) }

    /// A device's name in a path: short, and nothing that means anything in one.
    static let deviceNameBytes = 40

    private enum Page {
        case file(String, Frames)
        case demoConfiguration
        /// The same place with a slash at its end, where relative paths begin.
        case moved(String)
    }

    /// What a page has to do with frames.
    private enum Frames {
        case none
        /// The demo page holds frames, of other providers too.
        case holds
        /// A device of the demo stands in one.
        case standsIn
    }

    /// The answer for a path that is a page's; nil when it is none of ours.
    func response(_ request: Request, path: Substring) throws -> Response? {
        guard request.method == .get || request.method == .head, let page = page(path) else { return nil }
        switch page {
        case .moved(let place):
            return Response(status: .permanentRedirect, headers: [.location: place])
        case .demoConfiguration:
            return try demo.map { try .json($0) }
        case .file(let name, let frames):
            guard let file = files.file(name) else { return nil }
            return response(request, file, frames)
        }
    }

    private func page(_ path: Substring) -> Page? {
        switch path {
        case "/": return .file(front, .none)
        case "/demo" where demo != nil: return .moved("/demo/")
        case "/demo/" where demo != nil: return .file("demo.html", .holds)
        case "/demo/devices.json" where demo != nil: return .demoConfiguration
        default: break
        }
        if path.hasPrefix("/web/") { return .file(String(path.dropFirst(5)), .none) }
        if hasDevices, path.hasPrefix("/d/") { return devicePage(path.dropFirst(3), .none, path) }
        if demo != nil, path.hasPrefix("/demo/d/") { return devicePage(path.dropFirst(8), .standsIn, path) }
        return nil
    }

    private func devicePage(_ rest: Substring, _ frames: Frames, _ path: Substring) -> Page? {
        let pieces = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = pieces.first, (1...Self.deviceNameBytes).contains(name.utf8.count),
            name.utf8.allSatisfy({ byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            })
        else { return nil }
        switch pieces.count == 2 ? pieces[1] : nil {
        case nil: return .moved(path + "/")
        case "": return .file("index.html", frames)
        case "worker.js": return .file("worker.js", .none)
        default: return nil
        }
    }

    private func response(_ request: Request, _ file: WebFile, _ frames: Frames) -> Response {
        let compressed = AcceptEncoding(request.headers[.acceptEncoding]).gzip ? file.gzip : nil
        let tag = compressed == nil ? file.tag : file.gzipTag
        var fields: HTTPFields = [
            .contentType: file.type,
            .eTag: tag,
            .vary: "accept-encoding",
            // Asked for again each time, and answered with 304: a new server's pages never meet old scripts.
            .cacheControl: "no-cache",
        ]
        if file.type.hasPrefix("text/html") {
            fields[.contentSecurityPolicy] = policy(frames)
            fields[.permissionsPolicy] = permissions(frames)
            fields[.crossOriginOpenerPolicy] = "same-origin"
        }
        let known = request.headers[.ifNoneMatch]?.split(separator: ",").map { $0.trimmingPrefix(" ") } ?? []
        if known.contains(where: { $0 == tag }) { return Response(status: .notModified, headers: fields) }
        if compressed != nil { fields[.contentEncoding] = "gzip" }
        let bytes = compressed ?? file.bytes
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Nothing from elsewhere, nothing inline; pictures and films also from memory. Only the demo has frames.
    private func policy(_ frames: Frames) -> String {
        let held = frames == .holds ? demo?.origins ?? [] : []
        let holders = frames == .standsIn ? ["'self'"] + [demo?.framedBy].compactMap(\.self) : ["'none'"]
        return """
            default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; \
            connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; \
            frame-src \((["'self'"] + held).joined(separator: " ")); form-action 'self'; base-uri 'none'; \
            frame-ancestors \(holders.joined(separator: " "))
            """
    }

    /// Camera and microphone are the pages' own, and those of the devices that the demo page frames.
    private func permissions(_ frames: Frames) -> String {
        let held = frames == .holds ? demo?.origins ?? [] : []
        let who = (["self"] + held.map { "\"\($0)\"" }).joined(separator: " ")
        return "camera=(\(who)), microphone=(\(who)), geolocation=()"
    }
}
