// What a first visit can take in, and ask.

export const EXAMPLES = [
  {
    id: "example-reading-room",
    title: "Reading room",
    text: "# Reading room\n\nThe reading room opens at nine and closes at six. It is closed on Mondays.\n\n# Lending\n\nA reader may borrow five books for fourteen days. A book that nobody has reserved can be renewed twice.\n\n# Fees\n\n| What | Fee |\n| --- | --- |\n| a late book, each day | 100 won |\n| a lost card | 3,000 won |\n",
  },
  {
    id: "example-yeollamsil",
    title: "열람실 안내",
    text: "# 열람실 안내\n\n열람실은 아홉 시에 열고 여섯 시에 닫습니다. 월요일에는 쉽니다.\n\n# 대출\n\n한 사람이 책 다섯 권을 열나흘 동안 빌릴 수 있습니다. 예약이 없는 책은 두 번 연장할 수 있습니다.\n\n# 요금\n\n| 내용 | 요금 |\n| --- | --- |\n| 연체, 하루 | 100원 |\n| 카드 분실 | 3,000원 |\n",
  },
];

export const QUESTIONS = {
  en: ["When does the reading room open?", "How many books may a reader borrow?", "What does a lost card cost?"],
  ko: ["열람실은 언제 여나요?", "책은 몇 권까지 빌릴 수 있나요?", "카드를 잃어버리면 얼마인가요?"],
};
