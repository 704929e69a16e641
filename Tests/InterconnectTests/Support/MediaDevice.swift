import ClientWire
import Dispatch
import Foundation
import MediaSignalling
import MessagingCore
import MessagingService
import SDP
import SessionCore
import Synchronization
import Testing

/// A device with a stream, for the signals of its media: what a browser says and hears of them, without its media.
final class MediaDevice: DeviceLink, Inbox {
    let person: Person
    private let provider: Provider
    private let queue = DispatchQueue(label: "media-device")
    private let session = Mutex<DeviceSession?>(nil)
    private let signals = Mutex<[MediaSignal]>([])

    init(_ person: Person, at provider: Provider) {
        self.person = person
        self.provider = provider
        session.withLock { $0 = provider.service.openSession(link: self, inbox: self) }
        var frame = ClientFrame()
        frame.hello = ClientFrame.Hello(token: person.token, cursor: nil)
        send(frame)
    }

    private func send(_ frame: ClientFrame) {
        do {
            let bytes = [UInt8](try StrictJSON.encode(frame))
            queue.async { [self] in session.withLock { $0 }?.receive(bytes) }
        } catch { Issue.record("a frame cannot be written: \(error)") }
    }

    func close() async {
        await withCheckedContinuation { done in
            queue.async { [self] in
                session.withLock { $0.take() }?.closed()
                done.resume()
            }
        }
    }

    // MARK: DeviceLink and Inbox

    var isWritable: Bool { true }
    func flush() {}
    func close(code: UInt16, reason: String) {}
    func post(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }

    func write(_ bytes: [UInt8]) {
        do {
            let frame = try StrictJSON.decode(ServerFrame.self, from: Data(bytes))
            if let signal = frame.signal { signals.withLock { $0.append(signal) } }
        } catch { Issue.record("a frame cannot be read: \(String(decoding: bytes, as: UTF8.self))") }
    }

    // MARK: Signals

    /// The next signal that is as wanted; what came before it, and repetitions, are passed over.
    func hears<T>(
        _ what: String,
        _ place: SourceLocation = #_sourceLocation,
        _ wanted: (MediaPayload) -> T?
    ) async throws -> (MediaSignal, T) {
        try await eventually("\(what) at \(person.address)", place) {
            signals.withLock { signals in
                while !signals.isEmpty {
                    let signal = signals.removeFirst()
                    if let payload = MediaPayload(signal.payload), let found = wanted(payload) {
                        return (signal, found)
                    }
                }
                return nil
            }
        }
    }

    /// Says something back to where a signal came from.
    func say(_ payload: MediaPayload, to signal: MediaSignal) {
        var frame = ClientFrame()
        frame.signal = MediaSignal(
            session: signal.session,
            medium: signal.medium,
            generation: signal.toGeneration,
            to: signal.from ?? person.address,
            toGeneration: signal.generation,
            payload: payload.value
        )
        send(frame)
    }

    /// Waits to be asked for an offer, and makes it.
    @discardableResult
    func offers(_ line: String, _ place: SourceLocation = #_sourceLocation) async throws -> MediaSignal {
        let (signal, _) = try await hears("a request for an offer", place) { $0 == .summon ? true : nil }
        say(.description(.offer, try Self.description(line), names: ["x": signal.medium]), to: signal)
        return signal
    }

    /// Waits for the answer to its offer.
    func answer(_ place: SourceLocation = #_sourceLocation) async throws -> SDP.MediaDescription {
        let (_, answer) = try await hears("an answer", place) { payload in
            if case .description(.answer, let description, _) = payload { description } else { nil }
        }
        return try #require(answer.media.first)
    }

    /// Waits for an offer, and says nothing.
    func pressed(_ place: SourceLocation = #_sourceLocation) async throws -> MediaSignal {
        try await hears("an offer", place) { payload in if case .press = payload { true } else { nil } }.0
    }

    /// Waits for an offer, and answers it.
    @discardableResult
    func takes(_ line: String, _ place: SourceLocation = #_sourceLocation) async throws -> SDP.MediaDescription {
        let (signal, offer) = try await hears("an offer", place) { payload in
            if case .press(let description, _) = payload { description } else { nil }
        }
        let medium = try #require(offer.media.first)
        let named = line.replacing("a=mid:x", with: "a=mid:\(medium.mediaID ?? "?")")
        say(.description(.answer, try Self.description(named), names: [:]), to: signal)
        return medium
    }

    /// Offers and answers whatever it is asked for, until the task is cancelled.
    func plays(_ kind: String, _ name: String) async {
        var number = 0
        while !Task.isCancelled {
            let next: MediaSignal? = signals.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            guard let signal = next, let payload = MediaPayload(signal.payload) else {
                try? await Task.sleep(for: .milliseconds(5))
                continue
            }
            let line = Self.line(kind, at: "192.0.2.10", "\(name)\(number)", setup: "active")
            switch payload {
            case .summon:
                number += 1
                let offer = line.replacing("setup:active", with: "setup:actpass")
                guard let offer = try? Self.description(offer) else { continue }
                say(.description(.offer, offer, names: ["x": signal.medium]), to: signal)
            case .press(let offer, _):
                let named = line.replacing("a=mid:x", with: "a=mid:\(offer.media.first?.mediaID ?? "?")")
                guard let answer = try? Self.description(named) else { continue }
                say(.description(.answer, answer, names: [:]), to: signal)
            case .description, .ask, .refused, .needsProtection: continue
            }
        }
    }

    /// What a browser says of one medium: ICE, DTLS, and the address that it is at.
    static func line(_ kind: String, at host: String, _ name: String, setup: String = "actpass") -> String {
        let codec = kind == "audio" ? "111 0" : "96"
        let map = kind == "audio" ? "a=rtpmap:111 opus/48000/2\r\n" : "a=rtpmap:96 VP8/90000\r\n"
        let fingerprint = Array(repeating: name, count: 32).joined(separator: ":")
        return """
            m=\(kind) 40000 UDP/TLS/RTP/SAVPF \(codec)\r\nc=IN IP4 \(host)\r\na=mid:x\r\na=sendrecv\r\n\(map)a=rtcp-mux\r\n\
            a=ice-ufrag:user\(name)\r\na=ice-pwd:passwordpasswordpasswo\(name)\r\na=fingerprint:sha-256 \(fingerprint)\r\n\
            a=setup:\(setup)\r\na=candidate:1 1 UDP 2122252543 \(host) 40000 typ host\r\n
            """
    }

    private static func description(_ line: String) throws -> SessionDescription {
        let head = "v=0\r\no=- 42 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE x\r\n"
        return try SessionDescription(parsing: Array((head + line).utf8))
    }
}
