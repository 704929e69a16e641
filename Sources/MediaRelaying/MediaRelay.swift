package import Logging
import MediaSignalling
package import NIOCore
import NIOPosix
package import SDP
import SIPTransport

/// A media relay beside the server that speaks rtpengine's `ng` protocol: one datagram for each request and answer, told
/// apart by a cookie.
///
/// `@unchecked Sendable`: touched on its loop alone.
package final class MediaRelay: @unchecked Sendable {
    package enum Failure: Error, Hashable, Sendable {
        /// No answer within ``MediaRelay/answerWithin``.
        case silent
        /// More than ``MediaRelay/requestsMaximum`` wait for an answer.
        case busy
        /// It says so, or says what is no description.
        case refused(String)
    }

    package typealias Answer = (Result<SessionDescription?, Failure>) -> Void

    /// A request that is not answered is sent again: datagrams get lost, and the same cookie gets the same answer.
    package static let sendEvery = TimeAmount.milliseconds(500)
    package static let answerWithin = TimeAmount.seconds(3)
    package static let requestsMaximum = 4096
    /// The longest answer that is read.
    package static let datagramBytes = 65_535

    private struct Request {
        var datagram: ByteBuffer
        var answer: Answer
        var until: NIODeadline
    }

    private let eventLoop: any EventLoop
    private let address: SocketAddress
    private let logger: Logger
    private var channel: (any Channel)?
    private var requests: [String: Request] = [:]
    private var last = 0
    private let prefix = RandomText.token(8)

    package init(eventLoop: any EventLoop, address: SocketAddress, logger: Logger) {
        self.eventLoop = eventLoop
        self.address = address
        self.logger = logger
    }

    /// Opens its socket. Whether anything is at the other end shows with the first call.
    package func open() -> EventLoopFuture<Void> {
        DatagramBootstrap(group: eventLoop)
            // A browser's description of voice and video takes several thousand octets.
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.datagramBytes))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answers(relay: self))
                }
            }
            .connect(to: address)
            .map { self.channel = $0 }
    }

    package func close() {
        eventLoop.assertInEventLoop()
        channel?.close(promise: nil)
        channel = nil
        for cookie in requests.keys { end(cookie, .failure(.silent)) }
    }

    /// Asks for something; `answer` is called once, on the loop.
    package func ask(_ command: RelayCommand, _ answer: @escaping Answer) {
        guard requests.count < Self.requestsMaximum else { return answer(.failure(.busy)) }
        last += 1
        let cookie = "\(prefix)_\(last)"
        let datagram = ByteBuffer(bytes: Array("\(cookie) ".utf8) + command.request.octets)
        requests[cookie] = Request(datagram: datagram, answer: answer, until: .now() + Self.answerWithin)
        send(cookie)
    }

    /// The same from any thread.
    package func end() async {
        try? await eventLoop.submit { [self] in close() }.get()
    }

    /// Asks for something, from any thread.
    package func ask(_ command: RelayCommand) async -> Result<SessionDescription?, Failure> {
        await withCheckedContinuation { asked in
            eventLoop.execute { [self] in ask(command) { asked.resume(returning: $0) } }
        }
    }

    private func send(_ cookie: String) {
        guard let request = requests[cookie] else { return }
        guard let channel, request.until > .now() else { return end(cookie, .failure(.silent)) }
        channel.writeAndFlush(request.datagram, promise: nil)
        eventLoop.assumeIsolated().scheduleTask(in: Self.sendEvery) { self.send(cookie) }
    }

    private func end(_ cookie: String, _ result: Result<SessionDescription?, Failure>) {
        guard let request = requests.removeValue(forKey: cookie) else { return }
        if case .failure(let failure) = result {
            logger.warning("the media relay did not do what a call needs", metadata: ["because": "\(failure)"])
        }
        request.answer(result)
    }

    fileprivate func take(_ datagram: ByteBuffer) {
        let octets = datagram.readableBytesView
        guard let space = octets.firstIndex(of: UInt8(ascii: " ")),
            let cookie = String(validating: octets[..<space], as: UTF8.self), requests[cookie] != nil
        else { return }
        guard let said = Bencode(ArraySlice(octets[(space + 1)...])), let result = said["result"]?.string else {
            return end(cookie, .failure(.refused("no answer of the protocol")))
        }
        guard result == "ok" else {
            return end(cookie, .failure(.refused(said["error-reason"]?.string ?? result)))
        }
        guard case .text(let text)? = said["sdp"] else { return end(cookie, .success(nil)) }
        guard let description = try? SessionDescription(parsing: text, limits: .signalled) else {
            return end(cookie, .failure(.refused("no description")))
        }
        end(cookie, .success(description))
    }
}

private final class Answers: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private weak var relay: MediaRelay?

    init(relay: MediaRelay) { self.relay = relay }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { relay?.take(unwrapInboundIn(data).data) }

    // Nobody listens there now: the requests end by their time.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
