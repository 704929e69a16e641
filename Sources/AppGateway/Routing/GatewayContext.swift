import Hummingbird
import NIOCore

/// What is known of a request besides itself.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let peer: PeerKey

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        peer = PeerKey(source.channel.remoteAddress)
    }
}
