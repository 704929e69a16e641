import CWebFiles
import Crypto
import Foundation

/// One file of the web client, as it is served.
public struct WebFile: Sendable, Hashable {
    public var bytes: [UInt8]
    /// The same compressed, when that is shorter.
    public var gzip: [UInt8]?
    /// Media type, with its charset where it is text.
    public var type: String
    /// A strong entity tag (RFC 9110, section 8.8.3), quotes included.
    public var tag: String
    /// That of the compressed bytes: a strong tag names one representation.
    public var gzipTag: String { tag.dropLast() + "-gzip\"" }

    init(_ bytes: [UInt8], path: String) {
        self.bytes = bytes
        gzip = Self.compressed(bytes)
        type = Self.types[path.split(separator: ".").last.map(String.init) ?? ""] ?? "application/octet-stream"
        let digest = SHA256.hash(data: bytes).prefix(12)
        tag = "\"\(digest.map { String($0, radix: 36) }.joined(separator: "."))\""
    }

    private static func compressed(_ bytes: [UInt8]) -> [UInt8]? {
        let shorter = [UInt8](unsafeUninitializedCapacity: bytes.count) { space, count in
            count = web_gzip(bytes, bytes.count, space.baseAddress, space.count)
        }
        return shorter.isEmpty ? nil : shorter
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png", "json": "application/json",
        "webmanifest": "application/manifest+json",
    ]
}

/// The files of the web client: embedded in the program, or read from a folder while somebody works on them.
public struct WebFiles: Sendable {
    private enum Source: Sendable {
        case embedded([String: WebFile])
        /// Names what is in the program, so that a request never reaches beyond the folder.
        case folder(URL)
    }

    private let source: Source

    private init(_ source: Source) { self.source = source }

    /// What was embedded when the program was built.
    public static let embedded: WebFiles = {
        var files: [String: WebFile] = [:]
        for index in 0..<web_file_count() {
            guard let file = web_file_at(index)?.pointee else { continue }
            let path = String(cString: file.path)
            files[path] = WebFile(Array(UnsafeBufferPointer(start: file.bytes, count: file.count)), path: path)
        }
        return WebFiles(.embedded(files))
    }()

    /// Files read anew for each request.
    public static func inFolder(_ path: String) -> WebFiles { WebFiles(.folder(URL(fileURLWithPath: path))) }

    /// The paths of all embedded files, sorted.
    public var paths: [String] {
        guard case .embedded(let files) = source else { return [] }
        return files.keys.sorted()
    }

    /// The file at a path such as `js/main.js`; nil if there is none.
    public func file(_ path: String) -> WebFile? {
        switch source {
        case .embedded(let files): return files[path]
        case .folder(let folder):
            let pieces = path.split(separator: "/", omittingEmptySubsequences: false)
            guard pieces.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else { return nil }
            return (try? Data(contentsOf: folder.appendingPathComponent(path))).map { WebFile([UInt8]($0), path: path) }
        }
    }
}
