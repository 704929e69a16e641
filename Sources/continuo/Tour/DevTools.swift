import ClientWire
import ContinuoClient
import Foundation
import NIOCore

/// A Chromium of its own without a screen, driven by its DevTools protocol over a WebSocket.
actor Chromium {
    static let program = "/usr/bin/chromium"

    /// A camera and a microphone that no machine needs to have, and nobody who has to allow them.
    private static let flags = [
        "--headless=new", "--remote-debugging-port=0", "--no-first-run", "--no-default-browser-check",
        "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--allow-loopback-in-peer-connection",
        "--autoplay-policy=no-user-gesture-required", "--mute-audio", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-features=WebRtcHideLocalIpsWithMdns", "--disable-background-timer-throttling",
        "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows", "--lang=en-GB",
    ]
    /// The link is given up when nothing comes for longer than this.
    private static let pulse = Duration.seconds(20)

    private struct Question: Encodable {
        var id: Int
        var method: String
        var params: JSONValue
        var sessionId: String?
    }

    private struct Answer: Decodable {
        struct Problem: Decodable {
            var message: String
        }

        var id: Int?
        var result: JSONValue?
        var error: Problem?
    }

    private let companion: Companion
    private let link: WebSocketLink
    private var waiting: [Int: CheckedContinuation<JSONValue, any Error>] = [:]
    private var last = 0
    private var tasks: [Task<Void, Never>] = []

    /// Starts one, with its profile in a folder.
    init(folder: String) async throws {
        let root = getuid() == 0 ? ["--no-sandbox"] : []
        companion = try Companion(
            Self.program,
            Self.flags + root + ["--user-data-dir=\(folder)/browser", "about:blank"],
            output: folder + "/chromium.log"
        )
        let mark = "DevTools listening on "
        let url = try await eventually("chromium begins") { [companion] in
            companion.lines.first { $0.hasPrefix(mark) }.map { String($0.dropFirst(mark.count)) }
        }
        guard let place = URL(string: url), let host = place.host, let port = place.port else {
            throw TourFailure("chromium names no place for its DevTools: \(url)")
        }
        link = try await WebSocketLink.open(ServerAddress(url: "http://\(host):\(port)"), path: place.path)
    }

    func begin() {
        tasks = [
            Task {
                do {
                    while true { for frame in try await link.frames() { take(frame) } }
                } catch {
                    lost()
                }
            },
            Task {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.pulse)
                    _ = try? await call("Browser.getVersion")
                }
            },
        ]
    }

    func end() {
        for task in tasks { task.cancel() }
        link.close()
        companion.end()
    }

    private func take(_ frame: ByteBuffer) {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(frame.readableBytesView)),
            let id = answer.id, let asker = waiting.removeValue(forKey: id)
        else { return }
        if let problem = answer.error {
            asker.resume(throwing: TourFailure("chromium: \(problem.message)"))
        } else {
            asker.resume(returning: answer.result ?? .null)
        }
    }

    private func lost() {
        for asker in waiting.values { asker.resume(throwing: TourFailure("chromium is gone")) }
        waiting = [:]
    }

    /// Asks, and waits for the answer.
    func call(_ method: String, _ params: [String: JSONValue] = [:], page: String? = nil) async throws -> JSONValue {
        last += 1
        let question = Question(id: last, method: method, params: .object(params), sessionId: page)
        let bytes = try JSONEncoder().encode(question)
        guard companion.isRunning else { throw TourFailure("chromium has ended") }
        return try await withCheckedThrowingContinuation { continuation in
            waiting[question.id] = continuation
            link.send(bytes)
        }
    }

    /// A page in a context of its own: no storage is shared with another.
    func page(_ name: String, downloads: String) async throws -> Page {
        let context = try await call("Target.createBrowserContext")["browserContextId"].string ?? ""
        let target =
            try await call(
                "Target.createTarget",
                [
                    "url": .text("about:blank"), "browserContextId": .text(context), "width": .integer(1100),
                    "height": .integer(800),
                ]
            )["targetId"].string ?? ""
        let session =
            try await call(
                "Target.attachToTarget",
                ["targetId": .text(target), "flatten": .bool(true)]
            )["sessionId"].string ?? ""
        _ = try await call(
            "Browser.setDownloadBehavior",
            ["behavior": .text("allow"), "browserContextId": .text(context), "downloadPath": .text(downloads)]
        )
        let page = Page(name: name, chromium: self, session: session, target: target)
        _ = try await page.call("Page.enable")
        _ = try await page.call("Page.addScriptToEvaluateOnNewDocument", ["source": .text(PageScript.text)])
        return page
    }
}

/// One page: a device of somebody.
struct Page: Sendable {
    let name: String
    let chromium: Chromium
    let session: String
    let target: String

    @discardableResult
    func call(_ method: String, _ params: [String: JSONValue] = [:]) async throws -> JSONValue {
        try await chromium.call(method, params, page: session)
    }

    /// What an expression gives, as the page's own scripts would see it; promises are waited for.
    @discardableResult
    func run(_ expression: String) async throws -> JSONValue {
        let answer = try await call(
            "Runtime.evaluate",
            [
                "expression": .text(expression), "awaitPromise": .bool(true), "returnByValue": .bool(true),
                "userGesture": .bool(true),
            ]
        )
        if let problem = answer["exceptionDetails"].object {
            let text = problem["exception"]?["description"].string ?? problem["text"]?.string ?? "?"
            throw TourFailure("\(name): \(text.prefix(200))")
        }
        return answer["result"]["value"]
    }

    /// Asks until an expression gives something.
    @discardableResult
    func until(_ what: String, _ expression: String) async throws -> JSONValue {
        try await eventually("\(name): \(what)") {
            // A page that is being loaded has no answer yet.
            guard let value = try? await run(expression) else { return nil }
            return value.isSomething ? value : nil
        }
    }

    func open(_ url: String) async throws { try await call("Page.navigate", ["url": .text(url)]) }

    /// Gives files to the field that takes them.
    func give(_ files: [String], to selector: String) async throws {
        let field = try await call(
            "Runtime.evaluate",
            ["expression": .text("document.querySelector(\(quoted(selector)))")]
        )
        guard let object = field["result"]["objectId"].string else { throw TourFailure("\(name): no \(selector)") }
        try await call(
            "DOM.setFileInputFiles",
            ["files": .list(files.map { .text($0) }), "objectId": .text(object)]
        )
    }

    func close() async throws {
        _ = try await chromium.call("Target.closeTarget", ["targetId": .text(target)])
    }
}

/// A text as a script has it.
func quoted(_ text: String) -> String {
    let bytes = (try? JSONEncoder().encode(text)) ?? Data("\"\"".utf8)
    return String(decoding: bytes, as: UTF8.self)
}

/// Reading what a browser says.
extension JSONValue {
    subscript(key: String) -> JSONValue {
        if case .object(let fields) = self { fields[key] ?? .null } else { .null }
    }

    var string: String? { if case .text(let text) = self { text } else { nil } }

    var object: [String: JSONValue]? { if case .object(let fields) = self { fields } else { nil } }

    var strings: [String] { if case .list(let items) = self { items.compactMap(\.string) } else { [] } }

    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// What a script would take for true.
    var isSomething: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .text(let value): !value.isEmpty
        case .list, .object: true
        }
    }
}
