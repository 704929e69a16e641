public import NIOCore

extension Session {
    /// Whether a request comes from the peer of this session and is for this end of it.
    public mutating func isAddressed(by head: FrameHead) -> Bool {
        do { return try self.checkedPaths(of: head) != nil } catch { return false }
    }

    /// Takes the head of a frame that is for this session.
    ///
    /// A request has to be shown to ``SessionLifecycle/requestReceived(on:)`` first, which may refuse it.
    ///
    /// - Throws: ``MSRPError`` when the frame cannot even be answered; then it is to be skipped.
    public mutating func receivedHead(
        _ head: FrameHead,
        now: NIODeadline,
        into output: inout FrameOutput
    ) throws(MSRPError) -> OnHead {
        self.current = .skipping
        switch head.startLine {
        case .response(let status, _): return self.receivedResponse(status, to: head.transactionID, now)
        case .request(let method):
            if let defect = head.defect {
                try self.refuse(head, defect.responseStatus, into: &output)
                return .nothing
            }
            switch method {
            case .send: return try self.receivedSend(head, now: now, into: &output)
            case .report: return .answer(self.receivedReport(head))
            default:
                try self.refuse(head, .unknownMethod, into: &output)
                return .nothing
            }
        }
    }

    private mutating func receivedResponse(
        _ status: MSRPStatus,
        to id: TransactionID,
        _ now: NIODeadline
    ) -> OnHead {
        if id == self.bindID {
            self.bindID = nil
            return .bound(self.lifecycle.bindAnswered(status, now: now))
        }
        return .answer(self.sender.received(status, to: id))
    }

    private mutating func receivedReport(_ head: FrameHead) -> MessageSender.OnAnswer {
        // A report is never answered, so one that makes no sense is dropped.
        guard let id = try? head.messageID(), let range = try? head.byteRange(),
            let status = try? head.reportStatus(), self.isFromPeer(head)
        else { return .ignore }
        return self.sender.received(report: status, range: range, of: id)
    }

    private mutating func receivedSend(
        _ head: FrameHead,
        now: NIODeadline,
        into output: inout FrameOutput
    ) throws(MSRPError) -> OnHead {
        let paths: KnownPaths
        let answering: Answering
        do {
            guard let valid = try self.checkedPaths(of: head) else {
                try self.refuse(head, .noSuchSession, into: &output)
                return .nothing
            }
            paths = valid
            answering = Answering(
                id: head.transactionID,
                failureReport: try head.failureReport(),
                wantsSuccessReport: try head.wantsSuccessReport(),
                replyPaths: paths.reply,
                reportPaths: paths.report
            )
        } catch {
            try self.refuse(head, error.responseStatus, into: &output)
            return .nothing
        }
        guard head.hasBody else {
            self.current = .empty(answering)
            return .nothing
        }
        return self.beginChunk(head, answering, now: now, into: &output)
    }

    private mutating func beginChunk(
        _ head: FrameHead,
        _ answering: Answering,
        now: NIODeadline,
        into output: inout FrameOutput
    ) -> OnHead {
        do {
            switch try self.receiver.begin(head, now: now) {
            case .newMessage(let id):
                guard let contentType = head.contentType else {
                    // Some bind with an empty line and no type; nothing was begun as long as nothing follows.
                    _ = self.receiver.forget(id)
                    self.current = .empty(answering)
                    return .nothing
                }
                guard self.unsettled.count < self.configuration.limits.maxUnsettledMessages else {
                    _ = self.receiver.stop(id, .stopSending)
                    self.answer(answering, .stopSending, into: &output)
                    return .nothing
                }
                guard self.configuration.acceptTypes.contains(contentType) else {
                    _ = self.receiver.stop(id, .unsupportedMediaType)
                    self.answer(answering, .unsupportedMediaType, into: &output)
                    return .nothing
                }
                self.current = .chunk(answering)
                let size = try? head.byteRange().total
                return .began(Incoming(id: id, contentType: contentType, announcedSize: size))
            case .knownMessage:
                self.current = .chunk(answering)
            case .finished(let id, let status):
                if status.isSuccess, self.unsettled[id] != nil {
                    self.holdAnswer(answering, of: id)
                } else {
                    self.current = .chunk(answering)
                }
            case .refuse(let status):
                self.answer(answering, status, into: &output)
            }
        } catch {
            self.answer(answering, error.responseStatus, into: &output)
        }
        return .nothing
    }

    private mutating func holdAnswer(_ answering: Answering, of id: MessageID) {
        guard (self.unsettled[id]?.answers.count ?? 0) < Unsettled.maxAnswers else { return }
        self.unsettled[id]?.answers.append(answering)
    }

    /// Takes the next octets of a body; ask ``takeReady()`` for more after each delivery.
    public mutating func receivedBody(
        _ bytes: ByteBuffer,
        into output: inout FrameOutput
    ) -> MessageReceiver.OnContent {
        switch self.current {
        case .none, .skipping: return .nothing
        case .empty(let answering):
            self.current = .skipping
            self.answer(answering, .badRequest, into: &output)
            return .nothing
        case .chunk(let answering):
            let action = self.receiver.content(bytes)
            if case .stop(_, let status) = action {
                // The sender of a huge chunk need not come to its end to hear that.
                self.current = .skipping
                self.answer(answering, status, into: &output)
            }
            return action
        }
    }

    /// Content that was waiting for what was just delivered.
    public mutating func takeReady() -> MessageReceiver.OnContent { self.receiver.takeReady() }

    /// Takes the end of a frame.
    public mutating func receivedEnd(_ flag: Continuation, into output: inout FrameOutput) -> OnEnd {
        let current = self.current
        self.current = .none
        switch current {
        case .none, .skipping:
            _ = self.receiver.end(flag)
            return .nothing
        case .empty(let answering):
            self.answer(answering, .ok, into: &output)
            return .nothing
        case .chunk(let answering): return self.endChunk(answering, flag, into: &output)
        }
    }

    private mutating func endChunk(
        _ answering: Answering,
        _ flag: Continuation,
        into output: inout FrameOutput
    ) -> OnEnd {
        switch self.receiver.end(flag) {
        case .nothing: return .nothing
        case .answer(let status):
            self.answer(answering, status, into: &output)
            return .nothing
        case .repeated(let id, let status, let size):
            self.answer(answering, status, into: &output)
            if status.isSuccess, let size { self.report(answering, status, id, size: size, into: &output) }
            return .nothing
        case .aborted(let id):
            self.answer(answering, .ok, into: &output)
            return .aborted(id)
        case .failed(let id, let status):
            self.answer(answering, status, into: &output)
            return .aborted(id)
        case .complete(let id, let size):
            switch self.configuration.acceptance {
            case .explicit: self.unsettled[id] = Unsettled(size: size, answers: [answering])
            case .automatic:
                self.answer(answering, .ok, into: &output)
                self.report(answering, .ok, id, size: size, into: &output)
            }
            return .completed(id, size: size)
        }
    }
}
