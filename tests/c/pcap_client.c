/* A client of libpcap: reads without waiting, asks for the statistics, and is ended by a break.
 * Usage: pcap_client DEVICE PACKETS */
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static pcap_t *pcap;
static long left;

static void packet(unsigned char *user, const struct pcap_pkthdr *header, const unsigned char *bytes)
{
    (void)user;
    printf("%u %u", header->caplen, header->len);
    for (unsigned at = 0; at < header->caplen && at < 64; at++) printf("%s%02x", at ? "" : " ", bytes[at]);
    printf("\n");
    if (--left == 0) pcap_breakloop(pcap);
}

int main(int argc, char **argv)
{
    char error[PCAP_ERRBUF_SIZE] = "";
    struct pcap_stat stat;
    if (argc < 3) return 2;
    left = atol(argv[2]);
    pcap = pcap_open_live(argv[1], 65535, 0, 100, error);
    if (pcap == NULL || pcap_setnonblock(pcap, 1, error) < 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    for (;;) {
        int count = pcap_dispatch(pcap, -1, packet, NULL);
        if (count == PCAP_ERROR_BREAK || left <= 0) break;
        if (count < 0) {
            fprintf(stderr, "%s\n", pcap_geterr(pcap));
            return 1;
        }
        poll(NULL, 0, 1);
    }
    if (pcap_stats(pcap, &stat) < 0) return 1;
    fprintf(stderr, "received %u dropped %u\n", stat.ps_recv, stat.ps_drop);
    pcap_close(pcap);
    return 0;
}
