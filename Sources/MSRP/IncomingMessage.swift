import NIOCore

/// One message on its way in: what of it has been given on, what waits for a gap to close.
///
/// ```
///                 last gap closed, end known
///   receiving ------------------------------> complete
///       |
///       `------ # chunk ----------> aborted
/// ```
struct IncomingMessage: Sendable {
    /// Content that came before what lies before it.
    private struct Piece {
        var offset: UInt64
        var bytes: ByteBuffer
        var end: UInt64 { self.offset + UInt64(self.bytes.readableBytes) }
    }

    private struct Progress {
        /// The first octet that has not been given on.
        var next: UInt64 = 0
        /// In order, without overlaps, all after `next`.
        var pieces: [Piece] = []
        var waitingBytes = 0
        /// The size of the message, once a chunk has said that it is the last.
        var end: UInt64?
    }

    private enum State {
        case receiving(Progress)
        case complete(size: UInt64)
        case aborted
    }

    /// The names of the states, for tests.
    enum Phase: Equatable, CaseIterable {
        case receiving
        case complete
        case aborted
    }

    enum OnContent: Equatable {
        /// Give this on; it is next.
        case deliver(ByteBuffer)
        /// It waits for what lies before it.
        case held
        /// It was there already, or nobody wants it.
        case dropped
    }

    enum OnEnd: Equatable {
        case more
        case complete(size: UInt64)
        case aborted
        /// The message was over before.
        case ignore
    }

    private var state = State.receiving(Progress())

    var phase: Phase {
        switch self.state {
        case .receiving: .receiving
        case .complete: .complete
        case .aborted: .aborted
        }
    }

    /// The first octet that was not given on.
    var nextOffset: UInt64 {
        switch self.state {
        case .receiving(let progress): progress.next
        case .complete(let size): size
        case .aborted: 0
        }
    }

    /// Octets that wait for what lies before them.
    var waitingBytes: Int {
        if case .receiving(let progress) = self.state { progress.waitingBytes } else { 0 }
    }

    /// Takes content at its place.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/tooManyGaps`` or ``MSRPError/Code/tooMuchOutOfOrder``; the caller
    ///   then stops the message.
    mutating func content(
        _ bytes: ByteBuffer,
        at offset: UInt64,
        limits: MSRPLimits,
        roomOutOfOrder: Int
    ) throws(MSRPError) -> OnContent {
        switch self.state {
        case .receiving(var progress):
            var bytes = bytes
            var offset = offset
            if let end = progress.end, offset + UInt64(bytes.readableBytes) > end {
                guard offset < end, let part = bytes.readSlice(length: Int(end - offset)) else { return .dropped }
                bytes = part
            }
            if offset < progress.next {
                let known = progress.next - offset
                guard known < UInt64(bytes.readableBytes) else { return .dropped }
                bytes.moveReaderIndex(forwardBy: Int(known))
                offset = progress.next
            }
            guard bytes.readableBytes > 0 else { return .dropped }
            self.state = .aborted
            defer { self.state = .receiving(progress) }
            guard offset == progress.next else {
                return try Self.hold(bytes, at: offset, in: &progress, limits: limits, room: roomOutOfOrder)
            }
            if let first = progress.pieces.first, first.offset < offset + UInt64(bytes.readableBytes),
                let head = bytes.readSlice(length: Int(first.offset - offset))
            {
                // The part from the first waiting piece on fills the gaps behind it.
                _ = try Self.hold(bytes, at: first.offset, in: &progress, limits: limits, room: roomOutOfOrder)
                bytes = head
            }
            progress.next += UInt64(bytes.readableBytes)
            return .deliver(bytes)
        case .complete, .aborted: return .dropped
        }
    }

    /// Puts content between the pieces that wait, in the gaps that they leave.
    private static func hold(
        _ bytes: ByteBuffer,
        at offset: UInt64,
        in progress: inout Progress,
        limits: MSRPLimits,
        room: Int
    ) throws(MSRPError) -> OnContent {
        var bytes = bytes
        var offset = offset
        var index = progress.pieces.firstIndex { $0.end > offset } ?? progress.pieces.count
        var held = 0
        while bytes.readableBytes > 0 {
            var gap = bytes.readableBytes
            if index < progress.pieces.count {
                let piece = progress.pieces[index]
                if piece.offset <= offset {
                    let known = min(UInt64(bytes.readableBytes), piece.end - offset)
                    bytes.moveReaderIndex(forwardBy: Int(known))
                    offset += known
                    index += 1
                    continue
                }
                gap = Int(min(UInt64(gap), piece.offset - offset))
            }
            guard let part = bytes.readSlice(length: gap) else { break }
            guard held + gap <= room else {
                throw MSRPError(.tooMuchOutOfOrder, "more than \(limits.maxOutOfOrderBytes) octets")
            }
            held += gap
            progress.waitingBytes += gap
            if index > 0, progress.pieces[index - 1].end == offset {
                progress.pieces[index - 1].bytes.writeImmutableBuffer(part)
            } else {
                guard progress.pieces.count < limits.maxGaps else {
                    progress.waitingBytes -= gap
                    throw MSRPError(.tooManyGaps, "more than \(limits.maxGaps)")
                }
                // A copy of its own: a slice would keep alive all of what was read with it.
                var copy = ByteBufferAllocator().buffer(capacity: gap)
                copy.writeImmutableBuffer(part)
                progress.pieces.insert(Piece(offset: offset, bytes: copy), at: index)
                index += 1
            }
            offset += UInt64(gap)
        }
        return held > 0 ? .held : .dropped
    }

    /// What waited and is next now; none when there is still a gap before it.
    ///
    /// Ask after each delivery.
    mutating func takeReady() -> ByteBuffer? {
        guard case .receiving(var progress) = self.state, let first = progress.pieces.first,
            first.offset == progress.next
        else { return nil }
        progress.pieces.removeFirst()
        progress.waitingBytes -= first.bytes.readableBytes
        progress.next = first.end
        self.state = .receiving(progress)
        return first.bytes
    }

    /// Hears the flag at the end of a chunk whose last octet lies before `position`.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/wrongSize`` when the message has content after its own end.
    mutating func end(_ flag: Continuation, at position: UInt64) throws(MSRPError) -> OnEnd {
        switch self.state {
        case .receiving(var progress):
            switch flag {
            case .aborted:
                self.state = .aborted
                return .aborted
            case .complete:
                guard progress.end == nil || progress.end == position, progress.next <= position,
                    progress.pieces.last.map({ $0.end <= position }) ?? true
                else { throw MSRPError(.wrongSize, "content after the end of the message") }
                progress.end = position
            case .more: break
            }
            if progress.next == progress.end {
                self.state = .complete(size: progress.next)
                return .complete(size: progress.next)
            }
            self.state = .receiving(progress)
            return .more
        case .complete, .aborted: return .ignore
        }
    }
}
