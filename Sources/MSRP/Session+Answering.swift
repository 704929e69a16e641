import NIOCore

extension Session {
    /// Says what is to become of a complete message (``Acceptance/explicit``): its last chunk is answered, and with a
    /// success the report goes out that its sender may have asked for.
    public mutating func settle(_ id: MessageID, _ status: MSRPStatus, into output: inout FrameOutput) {
        guard let unsettled = self.unsettled.removeValue(forKey: id) else { return }
        self.receiver.settle(id, status)
        for answering in unsettled.answers { self.answer(answering, status, into: &output) }
        guard status.isSuccess, let answering = unsettled.answers.first else { return }
        self.report(answering, status, id, size: unsettled.size, into: &output)
    }

    /// Asks the sender of a message to stop; the chunk that is coming in, and any further one, is answered with the
    /// status.
    ///
    /// - Returns: whether the message was still coming in.
    public mutating func stop(_ id: MessageID, _ status: MSRPStatus) -> Bool { self.receiver.stop(id, status) }

    /// Gives every message up, because the session is over.
    ///
    /// - Returns: what becomes of those being sent, and the ids of those being received.
    public mutating func close() -> (results: [MessageSender.Result], incoming: [MessageID]) {
        self.current = .none
        self.unsettled.removeAll()
        return (self.sender.close(), self.receiver.close())
    }

    /// Answers a chunk, as far as its sender wants to hear (RFC 4975 section 7.2).
    func answer(_ answering: Answering, _ status: MSRPStatus, into output: inout FrameOutput) {
        switch answering.failureReport {
        case .no: return
        case .partial where status.isSuccess: return
        case .partial, .yes: output.addResponse(status, id: answering.id, paths: answering.replyPaths)
        }
    }

    /// Reports on a message, if its sender wants to hear (RFC 4975 section 7.1.2).
    mutating func report(
        _ answering: Answering,
        _ status: MSRPStatus,
        _ id: MessageID,
        size: UInt64,
        into output: inout FrameOutput
    ) {
        guard answering.wantsSuccessReport else { return }
        output.addReport(
            ReportStatus(status),
            on: id,
            range: ByteRange(uncheckedStart: 1, end: size, total: size),
            transactionID: self.sender.ids.transactionID(),
            paths: answering.reportPaths
        )
    }

    /// Answers a request that is not acted on.
    func refuse(_ head: FrameHead, _ status: MSRPStatus, into output: inout FrameOutput) throws(MSRPError) {
        // A report is never answered, and neither is a chunk whose sender does not want to hear.
        guard head.method != .report, (try? head.failureReport()) != .no else { return }
        try output.add(Frame.response(status, to: head))
    }

    /// The paths of a request; none when they are not those of this session.
    mutating func checkedPaths(of head: FrameHead) throws(MSRPError) -> KnownPaths? {
        let toBytes = head.pathBytes(\.toPath)
        let fromBytes = head.pathBytes(\.fromPath)
        if let known, known.toPath == toBytes, known.fromPath == fromBytes { return known }
        let to = try head.toPath(limits: self.configuration.limits)
        let from = try head.fromPath(limits: self.configuration.limits)
        guard to == [self.configuration.local], self.isPeer(from) else { return nil }
        let known = KnownPaths(
            toPath: ByteBuffer(bytes: toBytes.readableBytesView),
            fromPath: ByteBuffer(bytes: fromBytes.readableBytesView),
            reply: PathLines(to: Array(from.prefix(1)), from: to),
            report: PathLines(to: from, from: to)
        )
        self.known = known
        return known
    }

    private func isPeer(_ from: [MSRPURI]) -> Bool {
        !self.configuration.checksPeer || from.last == self.configuration.remotePath.last
    }

    func isFromPeer(_ head: FrameHead) -> Bool {
        guard let from = try? head.fromPath(limits: self.configuration.limits) else { return false }
        return self.isPeer(from)
    }
}
