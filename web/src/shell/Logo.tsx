/** The flame of the house. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <path
        d="M16.6 1.500c1.200 6 10.400 9.200 10.400 18.500a10.800 10.800 0 0 1-21.600 0c0-4.300 2.200-7.600 4.600-9.900.3 3 1.300 5.200 3.300 6.300-.5-5.900.4-10.900 3.300-14.900z"
        fill="var(--h-accent)"
      />
      <path
        d="M16.300 17.800c1 3.200 4.500 4.300 4.500 8a4.700 4.700 0 0 1-9.400 0c0-3.600 3.500-4.700 4.900-8z"
        fill="#ffd08a"
      />
    </svg>
  );
}
