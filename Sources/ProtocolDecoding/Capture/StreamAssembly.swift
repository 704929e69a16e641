/// Puts the segments of TCP streams in order and collects the datagrams between them.
struct StreamAssembly {
    private struct Key: Hashable {
        var source: Capture.Endpoint
        var destination: Capture.Endpoint
    }

    private struct Stream {
        /// Where its payload stands in the result.
        var place: Int
        /// The sequence number of the next octet.
        var next: UInt32
        /// Segments that came before one that is missing.
        var waiting: [(sequence: UInt32, bytes: ArraySlice<UInt8>)] = []
        var waitingBytes = 0
    }

    private let limits: CaptureLimits
    private var payloads: [Capture.Payload] = []
    private var streams: [Key: Stream] = [:]

    init(limits: CaptureLimits) { self.limits = limits }

    mutating func take(_ segment: Segment, frame: Int) throws(CaptureError) {
        guard let tcp = segment.tcp else {
            guard !segment.payload.isEmpty else { return }
            self.payloads.append(self.payload(of: segment, .udp, frame: frame, bytes: Array(segment.payload)))
            return
        }
        let key = Key(source: segment.source, destination: segment.destination)
        let first = tcp.isStart ? tcp.sequence &+ 1 : tcp.sequence
        // A new connection between the same ports begins a new stream.
        if tcp.isStart, let old = self.streams[key], old.next != first { self.close(key) }
        if !segment.payload.isEmpty || tcp.isStart {
            var stream = self.streams[key] ?? Stream(place: self.payloads.count, next: first)
            if self.streams[key] == nil {
                guard self.streams.count < self.limits.maximumStreams else {
                    throw CaptureError(.tooManyStreams, "at most \(self.limits.maximumStreams)")
                }
                self.payloads.append(self.payload(of: segment, .tcp, frame: frame, bytes: []))
            }
            if !segment.payload.isEmpty {
                stream.waiting.append((first, segment.payload))
                stream.waitingBytes += segment.payload.count
            }
            self.drain(&stream, maySkip: false)
            let isFull =
                stream.waitingBytes > self.limits.maximumWaitingBytes
                || stream.waiting.count > self.limits.maximumWaitingSegments
            if isFull { self.drain(&stream, maySkip: true) }
            self.streams[key] = stream
        }
        if tcp.isEnd { self.close(key) }
    }

    private func payload(
        of segment: Segment,
        _ transport: Capture.Transport,
        frame: Int,
        bytes: [UInt8]
    ) -> Capture.Payload {
        Capture.Payload(
            transport: transport,
            source: segment.source,
            destination: segment.destination,
            frame: frame,
            bytes: bytes,
            hasGap: false
        )
    }

    /// Appends what is next in order; with `maySkip` gaps are passed over.
    private mutating func drain(_ stream: inout Stream, maySkip: Bool) {
        while !stream.waiting.isEmpty {
            // Distances are taken modulo 2^32, as sequence numbers wrap around.
            var best = 0
            for index in stream.waiting.indices
            where Self.distance(stream.waiting[index].sequence, from: stream.next)
                < Self.distance(stream.waiting[best].sequence, from: stream.next)
            {
                best = index
            }
            let distance = Self.distance(stream.waiting[best].sequence, from: stream.next)
            guard distance <= 0 || maySkip else { return }
            let (sequence, bytes) = stream.waiting.remove(at: best)
            stream.waitingBytes -= bytes.count
            if distance > 0 {
                self.payloads[stream.place].hasGap = true
                stream.next = sequence
            }
            // What was sent again is taken once.
            let fresh = bytes.dropFirst(max(0, Int(-min(distance, 0))))
            self.payloads[stream.place].bytes.append(contentsOf: fresh)
            stream.next = stream.next &+ UInt32(truncatingIfNeeded: fresh.count)
        }
    }

    private static func distance(_ sequence: UInt32, from next: UInt32) -> Int64 {
        Int64(Int32(bitPattern: sequence &- next))
    }

    private mutating func close(_ key: Key) {
        guard var stream = self.streams.removeValue(forKey: key) else { return }
        self.drain(&stream, maySkip: true)
    }

    mutating func finish() -> [Capture.Payload] {
        for key in Array(self.streams.keys) { self.close(key) }
        return self.payloads.filter { !$0.bytes.isEmpty }
    }
}
