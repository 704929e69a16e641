import MSRP
import NIOCore

/// What a parser made of some octets.
struct Collected {
    struct Item {
        var head: FrameHead
        var body: [UInt8]
        var pieces: Int
        var end: Continuation?
    }

    var frames: [Item] = []
    var error: MSRPError?
    var isBetweenFrames = false

    /// Whole frames only.
    var complete: [Item] { self.frames.filter { $0.end != nil } }

    var verdict: String {
        if self.error != nil || self.frames.contains(where: { (try? $0.head.validate()) == nil }) { return "reject" }
        return self.isBetweenFrames && !self.frames.isEmpty ? "ok" : "incomplete"
    }

    /// Feeds the octets in pieces of the sizes given, over and over.
    init(_ bytes: [UInt8], split sizes: [Int], limits: MSRPLimits = .init()) {
        var parser = FrameParser(limits: limits)
        var position = 0
        var turn = 0
        do throws(MSRPError) {
            while position < bytes.count {
                let size = min(max(1, sizes[turn % sizes.count]), bytes.count - position)
                parser.append(ByteBuffer(bytes: bytes[position..<(position + size)]))
                position += size
                turn += 1
                while let event = try parser.next() { self.take(event) }
            }
        } catch {
            self.error = error
        }
        self.isBetweenFrames = parser.isBetweenFrames
    }

    private mutating func take(_ event: FrameEvent) {
        switch event {
        case .head(let head): self.frames.append(Item(head: head, body: [], pieces: 0))
        case .body(let bytes):
            self.frames[self.frames.count - 1].body += bytes.readableBytesView
            self.frames[self.frames.count - 1].pieces += 1
        case .end(let flag): self.frames[self.frames.count - 1].end = flag
        }
    }
}

/// A head made out of text, for tests of what is decoded from it.
func head(_ lines: String...) throws -> FrameHead {
    let text = lines.joined(separator: "\r\n") + "\r\n\r\n"
    let frames = Collected(Array(text.utf8), split: [text.utf8.count])
    if let error = frames.error { throw error }
    guard let first = frames.frames.first else { throw MSRPError(.truncatedFrame, "no head") }
    return first.head
}

/// A stream of numbers that is the same in every run.
struct Numbers: RandomNumberGenerator {
    private var generator: IdentifierGenerator
    init(_ seed: UInt64) { self.generator = IdentifierGenerator(seed: seed) }
    mutating func next() -> UInt64 { self.generator.next() }
}

extension ByteBuffer {
    var text: String { String(buffer: self) }
}

extension FrameOutput {
    /// Everything collected, as frames.
    mutating func collected() -> Collected {
        let bytes = self.take().flatMap { Array($0.readableBytesView) }
        return Collected(bytes, split: [max(1, bytes.count)])
    }
}
